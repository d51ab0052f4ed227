#pragma once
#include <memory>
#include <type_traits>
#include <utility>

namespace disttask {

template <typename Signature>
class UniqueFunction;

/// A callable that need not be copyable (g++ 12 lacks std::move_only_function). Empty by default; calling an empty one
/// is a bug.
template <typename Result, typename... Args>
class UniqueFunction<Result(Args...)> {
 public:
  UniqueFunction() noexcept = default;
  // Implicit by design; the constraint keeps it off copies and moves, which clang-tidy 14 does not see.
  template <typename F>
  requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> && std::is_invocable_r_v<Result, std::decay_t<F>&, Args...>)
      UniqueFunction(F&& f)  // NOLINT
      : impl_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const noexcept { return impl_ != nullptr; }
  Result operator()(Args... args) { return impl_->call(std::forward<Args>(args)...); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual Result call(Args... args) = 0;
  };
  template <typename F>
  struct Holder final : Base {
    explicit Holder(F f) : function(std::move(f)) {}
    Result call(Args... args) override { return function(std::forward<Args>(args)...); }
    F function;
  };
  std::unique_ptr<Base> impl_;
};

}  // namespace disttask
