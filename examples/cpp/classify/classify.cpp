// The five best classes of an image, by a file that bdnet exported:
//   classify MODEL.onnx IMAGE.ppm [LIBRARY]
// The file reads image bytes (bdnet-export export ... --input uint8), so nothing is normalised
// here. LIBRARY is libbdnet_ort.so, by default where CMake found it when this program was built;
// "none" runs the file's standard operators instead, to the same bits.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "pixmap.h"

namespace {

constexpr std::size_t kShown = 5;

Ort::Session open_session(const Ort::Env& env, const char* model, const std::string& library) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.DisableMemPattern();  // it costs a BD-Net a sixth more memory and saves no time
  if (library != "none") options.RegisterCustomOpsLibrary(library.c_str());
  return Ort::Session(env, model, options);
}

std::string describe(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t length : shape) {
    text += (text.empty() ? "" : " x ") + (length < 0 ? "any" : std::to_string(length));
  }
  return text;
}

// The shape of the run's input, [1, height, width, channels], where the file reads such images.
std::vector<std::int64_t> fit(const Ort::Session& session, const Pixmap& image) {
  const Ort::TypeInfo type = session.GetInputTypeInfo(0);
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  const std::vector<std::int64_t> wanted = tensor.GetShape();
  if (tensor.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 || wanted.size() != 4) {
    throw std::runtime_error("the model reads no image bytes; export it with --input uint8");
  }
  const std::vector<std::int64_t> shape{1, image.height, image.width, image.channels};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (wanted[i] >= 0 && wanted[i] != shape[i]) {  // negative where the file leaves it open
      throw std::runtime_error("the image is " + describe(shape) + ", the model reads " +
                               describe(wanted) + " (images, height, width, channels)");
    }
  }
  return shape;
}

std::vector<float> run(Ort::Session& session, Pixmap& image) {
  const std::vector<std::int64_t> shape = fit(session, image);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const Ort::Value input = Ort::Value::CreateTensor<std::uint8_t>(
      memory, image.bytes.data(), image.bytes.size(), shape.data(), shape.size());
  const Ort::AllocatorWithDefaultOptions allocator;
  const Ort::AllocatedStringPtr input_name = session.GetInputNameAllocated(0, allocator);
  const Ort::AllocatedStringPtr output_name = session.GetOutputNameAllocated(0, allocator);
  const char* const inputs[] = {input_name.get()};
  const char* const outputs[] = {output_name.get()};
  const std::vector<Ort::Value> results =
      session.Run(Ort::RunOptions{}, inputs, &input, 1, outputs, 1);
  const float* logits = results[0].GetTensorData<float>();
  return {logits, logits + results[0].GetTensorTypeAndShapeInfo().GetElementCount()};
}

void print_best(const std::vector<float>& logits) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t shown = std::min(kShown, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
                    });
  std::printf("class   logit\n");
  for (std::size_t i = 0; i < shown; ++i) {
    std::printf("%5zu   %.9g\n", order[i], static_cast<double>(logits[order[i]]));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: classify MODEL.onnx IMAGE.ppm [LIBRARY]\n");
    return 2;
  }
  try {
    Pixmap image = read_pixmap(argv[2]);
    const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "classify");  // errors are exceptions
    Ort::Session session = open_session(env, argv[1], argc == 4 ? argv[3] : BDNET_LIBRARY);
    print_best(run(session, image));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 2;
  }
  return 0;
}
