#pragma once

#include <onnxruntime_c_api.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

// How faults travel inside the adapter: as exceptions, up to the function that ONNX Runtime called,
// where guarded() turns them into an OrtStatus. None crosses the boundary.
namespace bdnet::ort {

// The model, or what it was given, is at fault; the message says how.
class InvalidInput : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A call of ONNX Runtime's own failed. Owns its status until that is handed on.
class OrtFailure : public std::exception {
 public:
  OrtFailure(const OrtApi& api, OrtStatus* status) : api_(api), status_(status) {}
  OrtFailure(OrtFailure&& other) noexcept
      : api_(other.api_), status_(std::exchange(other.status_, nullptr)) {}
  OrtFailure(const OrtFailure&) = delete;
  OrtFailure& operator=(const OrtFailure&) = delete;
  OrtFailure& operator=(OrtFailure&&) = delete;
  ~OrtFailure() override {
    if (status_ != nullptr) api_.ReleaseStatus(status_);
  }

  const char* what() const noexcept override { return api_.GetErrorMessage(status_); }
  OrtStatus* release() noexcept { return std::exchange(status_, nullptr); }

 private:
  const OrtApi& api_;
  OrtStatus* status_;
};

inline void check(const OrtApi& api, OrtStatus* status) {
  if (status != nullptr) throw OrtFailure(api, status);
}

// Runs `body` on behalf of ONNX Runtime.
template <typename Body>
OrtStatus* guarded(const OrtApi& api, Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (OrtFailure& failure) {
    return failure.release();
  } catch (const InvalidInput& fault) {
    return api.CreateStatus(ORT_INVALID_ARGUMENT, fault.what());
  } catch (const std::exception& fault) {
    return api.CreateStatus(ORT_FAIL, fault.what());
  } catch (...) {
    return api.CreateStatus(ORT_FAIL, "an unknown error in a kernel of ai.bdnet");
  }
}

}  // namespace bdnet::ort
