#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "statement_cache.hpp"

#include <memory>
#include <string>
#include <utility>

namespace disttask::sqlclient {

struct Result::Impl {
  Impl(std::shared_ptr<OpenRows> rows, std::string statement) : open(std::move(rows)), name(std::move(statement)) {}
  ~Impl() {
    // The last reader closes the rows, so that the statement may run again.
    if (open) open->rows.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Calls `read(rows)`; failures become ours.
  template <typename F>
  auto with(F read) const;

  std::shared_ptr<OpenRows> open;
  std::string name;
};

}  // namespace disttask::sqlclient
