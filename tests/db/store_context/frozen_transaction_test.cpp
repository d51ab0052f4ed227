// A process that stands still in the middle of a transaction must not hold up the others.
#include "disttask/runtime/thread_group.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "store_context.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using sqlclient::Connection;
using storage::mysql::StoreContext;
using test::TestStore;

TEST_CASE("The open transaction of a frozen owner ends after a third of the lease, and the next owner takes over") {
  storage::mysql::StoreSettings settings;
  settings.lease = 3s;
  TestStore store(TestStore::Schema::kInstalled, settings);
  auto& table = store->schedulerTable();
  REQUIRE(table.takeOwnership({}, "frozen", table.getOwner({})));
  const auto observed = table.getOwner({});

  StoreContext frozen(store.settings(), runtime::systemClock());
  test::TestSignal<bool> holding;
  test::TestSignal<bool> go_on;
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
  threads.spawn("frozen", [&] {
    runtime::CancelSource over;
    try {
      frozen.inTransaction({over.token(), {}}, "test", [&](Connection& connection) {
        connection.execute("update disttask_owner set seq = seq + 1 where id = 1");
        holding.send(true);
        static_cast<void>(go_on.wait());
        over.cancel(runtime::CancelCause::kClosed);
      });
      ended.send("committed");
    } catch (const Exception& e) {
      ended.send(std::string(toString(e.error().reaction())));
    }
  });
  REQUIRE(holding.wait());
  const auto began = runtime::systemClock().now();
  const auto next = table.takeOwnership({{}, runtime::Deadline(runtime::systemClock(), 20s)}, "next", observed);
  const auto took = runtime::systemClock().now() - began;
  REQUIRE(next);
  CHECK(took < 15s);  // the limit, a wait for the lock that began before it, and a retry
  go_on.send(true);
  CHECK(ended.wait() == "reconnect");
  threads.join();
  CHECK(table.getOwner({}).life == *next);
  CHECK(table.getOwner({}).exec_id == "next");
}
