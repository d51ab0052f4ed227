#include "disttask/sqlclient/sql_error.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using sqlclient::makeSqlError;
using sqlclient::meaningOf;

namespace {

struct Case {
  int number;
  ErrorCode code;
  Reaction reaction;
};

// Each number of design rule 26, and those seen at the connector, with what it must lead to.
constexpr Case kCases[] = {
    {1290, ErrorCode::kStoreReadOnly, Reaction::kBackOff},
    {1836, ErrorCode::kStoreReadOnly, Reaction::kBackOff},
    {3101, ErrorCode::kStoreReadOnly, Reaction::kBackOff},
    {1047, ErrorCode::kStoreReadOnly, Reaction::kBackOff},
    {1792, ErrorCode::kStoreReadOnly, Reaction::kBackOff},
    {1040, ErrorCode::kStoreTooMany, Reaction::kBackOff},
    {1203, ErrorCode::kStoreTooMany, Reaction::kBackOff},
    {1226, ErrorCode::kStoreTooMany, Reaction::kBackOff},
    {1142, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1044, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1045, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1130, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1227, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1698, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {2059, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {1021, ErrorCode::kStoreDiskFull, Reaction::kBackOff},
    {1114, ErrorCode::kStoreDiskFull, Reaction::kBackOff},
    {3020, ErrorCode::kStoreDiskFull, Reaction::kBackOff},
    {1020, ErrorCode::kStoreConflict, Reaction::kRetry},
    {1205, ErrorCode::kStoreConflict, Reaction::kRetry},
    {1213, ErrorCode::kStoreConflict, Reaction::kRetry},
    {1615, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8002, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8022, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8028, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9001, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9002, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9003, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9004, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9005, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9007, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8005, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8024, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8027, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8055, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8229, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9006, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9008, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9010, ErrorCode::kStoreConflict, Reaction::kRetry},
    {9011, ErrorCode::kStoreConflict, Reaction::kRetry},
    {8004, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {8178, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {8175, ErrorCode::kStoreKilled, Reaction::kRetry},
    {8176, ErrorCode::kStoreKilled, Reaction::kRetry},
    {8252, ErrorCode::kStoreTooMany, Reaction::kBackOff},
    {1317, ErrorCode::kStoreKilled, Reaction::kRetry},
    {1969, ErrorCode::kStoreKilled, Reaction::kRetry},
    {3024, ErrorCode::kStoreKilled, Reaction::kRetry},
    {1053, ErrorCode::kStoreKilled, Reaction::kReconnect},
    {1927, ErrorCode::kStoreKilled, Reaction::kReconnect},
    {4031, ErrorCode::kStoreKilled, Reaction::kReconnect},
    {1153, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {1264, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {1366, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {1406, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {3140, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {3144, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {4025, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {8025, ErrorCode::kStoreContent, Reaction::kGiveUp},
    {8121, ErrorCode::kStoreNoPrivilege, Reaction::kBackOff},
    {2002, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2003, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2005, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2006, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2013, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {1243, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2056, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2014, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2026, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {2030, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {8501, ErrorCode::kStoreUnavailable, Reaction::kReconnect},
    {1665, ErrorCode::kStoreSessionUnfit, Reaction::kBackOff},
    {1049, ErrorCode::kStoreSchema, Reaction::kGiveUp},
    {1054, ErrorCode::kStoreSchema, Reaction::kGiveUp},
    {1146, ErrorCode::kStoreSchema, Reaction::kGiveUp},
    {8113, ErrorCode::kStoreSchema, Reaction::kGiveUp},
    {1062, ErrorCode::kAlreadyExists, Reaction::kGiveUp},
    {1064, ErrorCode::kInternal, Reaction::kGiveUp},
};

}  // namespace

TEST_CASE("Each error number of the store has its reaction") {
  for (const auto& expected : kCases) {
    INFO(expected.number);
    const auto error = makeSqlError(expected.number, "HY000", "task.get", "text");
    CHECK(error.code() == expected.code);
    CHECK(error.reaction() == expected.reaction);
    CHECK(error.storeNumber() == expected.number);
    // A connection that is in doubt is exactly one whose outcome must be looked up.
    CHECK(meaningOf(expected.number, "HY000").breaks_connection == (expected.reaction == Reaction::kReconnect));
  }
}

TEST_CASE("An unknown error number goes by its SQL state") {
  CHECK(meaningOf(7777, "08S01").breaks_connection);
  CHECK(meaningOf(7777, "08S01").code == ErrorCode::kStoreUnavailable);
  CHECK(meaningOf(7777, "40001").code == ErrorCode::kStoreConflict);
  CHECK(meaningOf(7777, "22001").code == ErrorCode::kStoreContent);
  CHECK(meaningOf(7777, "HY000").code == ErrorCode::kInternal);
  CHECK(meaningOf(7777, "").code == ErrorCode::kInternal);
}

TEST_CASE("Numbers with several meanings go by the server's text") {
  const std::string packet = "Parameter of prepared statement is longer than 'max_allowed_packet' bytes";
  CHECK(makeSqlError(1105, "HY000", "s", packet).code() == ErrorCode::kStoreContent);
  const std::string raft =
      "message:\"raft entry is too large, region 8, entry size 9437184\" raft_entry_too_large:<region_id:8 >";
  CHECK(makeSqlError(1105, "HY000", "s", raft).code() == ErrorCode::kStoreContent);
  CHECK(makeSqlError(1105, "HY000", "s", "something else").code() == ErrorCode::kInternal);
  CHECK(makeSqlError(1030, "HY000", "s", "Got error 28 from storage engine").code() == ErrorCode::kStoreDiskFull);
  CHECK(makeSqlError(1030, "HY000", "s", "Got error 168 from storage engine").code() == ErrorCode::kInternal);
  CHECK(makeSqlError(0, "", "s", "Connection has been closed").reaction() == Reaction::kReconnect);
  CHECK(makeSqlError(0, "", "s", "not implemented").reaction() == Reaction::kGiveUp);
}

TEST_CASE("The message of a store error names the statement, the text and the number") {
  CHECK(
      makeSqlError(1205, "HY000", "task.get", "Lock wait timeout exceeded").message() ==
      "task.get: Lock wait timeout exceeded (store error 1205)"
  );
}
