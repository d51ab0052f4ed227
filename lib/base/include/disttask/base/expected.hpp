#pragma once
#include "disttask/base/error.hpp"

#include <utility>
#include <variant>

namespace disttask {

/// Holds a T or the Error that says why there is none; for results whose failure the caller branches on.
/// Thread-compatible.
template <typename T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Expected(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  [[nodiscard]] bool hasValue() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return hasValue(); }

  /// Returns the value; throws the Error as an Exception when there is none.
  T& value() & { return throwIfError(), std::get<0>(state_); }
  const T& value() const& { return throwIfError(), std::get<0>(state_); }
  T&& value() && { return throwIfError(), std::get<0>(std::move(state_)); }
  /// Returns the error; only when hasValue() is false.
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  void throwIfError() const {
    if (!hasValue()) throw Exception(std::get<1>(state_));
  }
  std::variant<T, Error> state_;
};

}  // namespace disttask
