#include "disttask/base/error.hpp"

#include "disttask/base/expected.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <stdexcept>
#include <string>

using namespace disttask;

static constexpr int kNumCodes = static_cast<int>(ErrorCode::kPluginFailed) + 1;
static constexpr int kNumReactions = static_cast<int>(Reaction::kLost) + 1;

TEST_CASE("Each error code and each reaction has a text of its own", "[base][error]") {
  std::set<std::string_view> texts;
  for (int i = 0; i < kNumCodes; ++i) texts.insert(toString(static_cast<ErrorCode>(i)));
  CHECK(texts.size() == kNumCodes);
  CHECK_FALSE(texts.contains("unknown"));
  texts.clear();
  for (int i = 0; i < kNumReactions; ++i) texts.insert(toString(static_cast<Reaction>(i)));
  CHECK(texts.size() == kNumReactions);
  CHECK_FALSE(texts.contains("unknown"));
}

TEST_CASE("An error reacts as its code says unless told otherwise", "[base][error]") {
  CHECK(Error(ErrorCode::kStoreConflict, "x").reaction() == Reaction::kRetry);
  CHECK(Error(ErrorCode::kStoreKilled, "x").reaction() == Reaction::kRetry);
  CHECK(Error(ErrorCode::kStoreReadOnly, "x").reaction() == Reaction::kBackOff);
  CHECK(Error(ErrorCode::kStoreUnavailable, "x").reaction() == Reaction::kReconnect);
  CHECK(Error(ErrorCode::kStoreContent, "x").reaction() == Reaction::kGiveUp);
  CHECK(Error(ErrorCode::kCancelled, "x").reaction() == Reaction::kCancelled);
  CHECK(Error(ErrorCode::kLost, "x").reaction() == Reaction::kLost);
  CHECK(Error(ErrorCode::kInternal, "x").reaction() == Reaction::kGiveUp);
  CHECK(Error(ErrorCode::kInternal, Reaction::kRetry, "x").reaction() == Reaction::kRetry);
}

TEST_CASE("Waiting heals what the store may do again, and nothing that a person must mend", "[base][error]") {
  for (const auto code :
       {ErrorCode::kStoreUnavailable,
        ErrorCode::kStoreConflict,
        ErrorCode::kStoreReadOnly,
        ErrorCode::kStoreTooMany,
        ErrorCode::kStoreDiskFull,
        ErrorCode::kStoreKilled,
        ErrorCode::kTimedOut}) {
    INFO(toString(code));
    CHECK(healsByWaiting(Error(code, "x")));
  }
  for (const auto code :
       {ErrorCode::kStoreNoPrivilege,
        ErrorCode::kStoreSessionUnfit,
        ErrorCode::kStoreSchema,
        ErrorCode::kInvalidConfig,
        ErrorCode::kStoreContent,
        ErrorCode::kCancelled,
        ErrorCode::kInternal}) {
    INFO(toString(code));
    CHECK_FALSE(healsByWaiting(Error(code, "x")));
  }
}

TEST_CASE("Context stands before the message, the latest first", "[base][error]") {
  Error error(ErrorCode::kNotFound, "no row");
  error.addContext("task 7").addContext("finish").setStoreNumber(1213);
  CHECK(error.message() == "finish: task 7: no row");
  CHECK(error.code() == ErrorCode::kNotFound);
  CHECK(error.storeNumber() == 1213);
  CHECK(std::string(Exception(error).what()) == error.message());
}

template <typename Thrown>
static Error caught(const Thrown& thrown) {
  try {
    throw thrown;
  } catch (...) {
    return currentError();
  }
}

TEST_CASE("Whatever was thrown becomes an error", "[base][error]") {
  const auto ours = caught(Exception(Error(ErrorCode::kStoreConflict, "deadlock").setStoreNumber(1213)));
  CHECK(ours.code() == ErrorCode::kStoreConflict);
  CHECK(ours.reaction() == Reaction::kRetry);
  CHECK(ours.storeNumber() == 1213);
  const auto std_error = caught(std::runtime_error("boom"));
  CHECK(std_error.code() == ErrorCode::kInternal);
  CHECK(std_error.reaction() == Reaction::kGiveUp);
  CHECK(std_error.message() == "boom");
  CHECK(caught(42).message() == "an exception that is not a std::exception");
}

TEST_CASE("Expected holds a value or the error that it throws on access", "[base][expected]") {
  Expected<std::string> good(std::string("value"));
  REQUIRE(good);
  CHECK(good.value() == "value");
  CHECK(std::move(good).value() == "value");
  const Expected<std::string> bad(Error(ErrorCode::kNotFound, "nothing"));
  REQUIRE_FALSE(bad.hasValue());
  CHECK(bad.error().code() == ErrorCode::kNotFound);
  CHECK_THROWS_WITH(bad.value(), "nothing");
}
