#pragma once

#include <string>
#include <utility>

namespace bdnet {

// What a check found: success, or one sentence about what came and what was expected. The sentence
// names neither operator nor node; whoever knows them puts them before it.
class [[nodiscard]] Status {
 public:
  Status() = default;
  static Status failure(std::string message) {
    Status status;
    status.message_ = std::move(message);
    return status;
  }

  bool ok() const noexcept { return message_.empty(); }
  const std::string& message() const noexcept { return message_; }

 private:
  std::string message_;
};

}  // namespace bdnet
