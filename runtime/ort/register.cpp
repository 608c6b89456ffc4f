#include <onnxruntime_c_api.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "average_pool_op.h"
#include "bdnet/dispatch.h"
#include "custom_op.h"
#include "failure.h"
#include "library_info_op.h"
#include "ordered_conv_op.h"
#include "ordered_stem_op.h"
#include "separable_block_op.h"
#include "sign_conv_op.h"
#include "sign_linear_op.h"

namespace bdnet::ort {
namespace {

// The operators of one ONNX Runtime (a process may have loaded two).
class Registry {
 public:
  explicit Registry(const OrtApi& api)
      : binary_conv_(api),
        ternary_conv_(api),
        binary_linear_(api),
        ternary_linear_(api),
        ordered_conv_(api),
        ordered_average_pool_(api),
        ordered_stem_(api),
        separable_block_(api),
        library_info_(api) {
    check(api, api.CreateCustomOpDomain("ai.bdnet", &domain_));
    for (const OrtCustomOp* op : {static_cast<const OrtCustomOp*>(&binary_conv_),
                                  static_cast<const OrtCustomOp*>(&ternary_conv_),
                                  static_cast<const OrtCustomOp*>(&binary_linear_),
                                  static_cast<const OrtCustomOp*>(&ternary_linear_),
                                  static_cast<const OrtCustomOp*>(&ordered_conv_),
                                  static_cast<const OrtCustomOp*>(&ordered_average_pool_),
                                  static_cast<const OrtCustomOp*>(&ordered_stem_),
                                  static_cast<const OrtCustomOp*>(&separable_block_),
                                  static_cast<const OrtCustomOp*>(&library_info_)}) {
      check(api, api.CustomOpDomain_Add(domain_, op));
    }
  }

  OrtCustomOpDomain* domain() const noexcept { return domain_; }

 private:
  CustomOp<BinaryConv> binary_conv_;
  CustomOp<TernaryConv> ternary_conv_;
  CustomOp<BinaryLinear> binary_linear_;
  CustomOp<TernaryLinear> ternary_linear_;
  CustomOp<OrderedConv> ordered_conv_;
  CustomOp<OrderedAveragePool> ordered_average_pool_;
  CustomOp<OrderedStem> ordered_stem_;
  CustomOp<SeparableBlock> separable_block_;
  CustomOp<LibraryInfo> library_info_;
  OrtCustomOpDomain* domain_ = nullptr;
};

// Sessions point to the operators and the domain until they end, which can be after the static
// objects of this library are gone; so these are never destroyed.
OrtCustomOpDomain* domain_for(const OrtApi& api) {
  static auto& mutex = *new std::mutex;
  static auto& registries = *new std::map<const OrtApi*, std::unique_ptr<Registry>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Registry>& registry = registries[&api];
  if (registry == nullptr) registry = std::make_unique<Registry>(api);
  return registry->domain();
}

}  // namespace
}  // namespace bdnet::ort

// What ONNX Runtime calls when the library is registered with a session's options.
extern "C" [[gnu::visibility("default")]] OrtStatus* RegisterCustomOps(OrtSessionOptions* options,
                                                                       const OrtApiBase* base) {
  using namespace bdnet::ort;
  const OrtApi* api = base->GetApi(kOrtApi);
  if (api == nullptr) {
    // Every version has the first API, and creating a status is part of it.
    return base->GetApi(1)->CreateStatus(
        ORT_FAIL,
        (std::string("bdnet needs ONNX Runtime 1.21 or newer; this is ") + base->GetVersionString())
            .c_str());
  }
  return guarded(*api, [&] {
    if (const bdnet::Status& status = bdnet::active_selection().status; !status.ok()) {
      throw InvalidInput(status.message());
    }
    check(*api, api->AddCustomOpDomain(options, domain_for(*api)));
  });
}
