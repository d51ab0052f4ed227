#include "named_connections.hpp"

#include "disttask/base/json.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/temp_dir.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>
#include <sys/stat.h>

using namespace disttask;
using namespace disttask::app;

namespace {

settings::ConnectionSettings connection() {
  settings::ConnectionSettings settings;
  settings.endpoint.host = "db";
  settings.endpoint.port = 4000;
  settings.user = "importer";
  settings.max_connections = 2;
  settings.types = {"csv_import"};
  settings.schemas = {"s1", "s2"};
  settings.ledger = "s1.ledger";
  return settings;
}

}  // namespace

TEST_CASE("A connection reaches its task type as JSON, with the password read at each call") {
  const test::TempDir folder;
  const auto file = folder.write("pw", "one\n");
  ::chmod(file.c_str(), 0600);
  auto settings = connection();
  settings.password.file = file.string();
  NamedConnections connections({{"target", settings}}, "");
  connections.setStoreId("store-7");
  const auto json = Json::parse(connections.get("target", "csv_import").value());
  CHECK(
      json ==
      Json::parse(
          R"({"host":"db","port":4000,"user":"importer","password":"one","tls":{"mode":"off","ca":"","cert":"","key":""},
    "schemas":["s1","s2"],"max_connections":2,"ledger":"s1.ledger","store_id":"store-7"})"
      )
  );
  (void)folder.write("pw", "two\n");
  CHECK(Json::parse(connections.get("target", "csv_import").value()).find("password")->asString() == "two");
}

TEST_CASE("A connection whose server is to be verified reaches its task type as such, with its files") {
  auto settings = connection();
  settings.tls.mode = settings::TlsMode::kVerify;
  settings.tls.ca = "/etc/ca.pem";
  settings.tls.cert = "/etc/client.pem";
  settings.tls.key = "/etc/client.key";
  NamedConnections connections({{"target", settings}}, "");
  CHECK(
      *Json::parse(connections.get("target", "csv_import").value()).find("tls") ==
      Json::parse(R"({"mode":"verify","ca":"/etc/ca.pem","cert":"/etc/client.pem","key":"/etc/client.key"})")
  );
}

TEST_CASE("A connection by socket gives no host") {
  auto settings = connection();
  settings.endpoint.socket = "/run/s.sock";
  NamedConnections connections({{"target", settings}}, "");
  const auto json = Json::parse(connections.get("target", "csv_import").value());
  CHECK(json.find("socket")->asString() == "/run/s.sock");
  CHECK(json.find("host") == nullptr);
}

TEST_CASE("Refusals name the connection and the key that would allow it") {
  NamedConnections connections({{"target", connection()}}, "");
  CHECK_THAT(connections.get("other", "csv_import").error().message(), Catch::Contains("connections.other"));
  CHECK_THAT(
      connections.get("target", "example").error().message(),
      Catch::Contains("'example'") && Catch::Contains("connections.target.types")
  );
  CHECK_THROWS_AS(connections.acquire("target", "example", {}), Exception);
  auto broken = connection();
  broken.password.file = "/nowhere/pw";
  NamedConnections unreadable({{"target", broken}}, "");
  CHECK_THAT(unreadable.get("target", "csv_import").error().message(), Catch::Contains("/nowhere/pw"));
}

TEST_CASE("No more places than max_connections are taken at a time, and one that is given back goes to who waits") {
  NamedConnections connections({{"target", connection()}}, "");
  connections.acquire("target", "csv_import", {});
  connections.acquire("target", "csv_import", {});
  test::TestSignal<int> got;
  runtime::ThreadGroup threads;
  threads.spawn("third", [&] {
    connections.acquire("target", "csv_import", {});
    got.send(3);
  });
  CHECK_FALSE(got.wait(std::chrono::milliseconds(50)));
  connections.release("target", "csv_import");
  CHECK(got.wait() == 3);
  threads.join();
}

TEST_CASE("Waiting for a place ends when the run is cancelled") {
  NamedConnections connections({{"target", connection()}}, "");
  connections.acquire("target", "csv_import", {});
  connections.acquire("target", "csv_import", {});
  runtime::CancelSource source;
  test::TestSignal<ErrorCode> ended;
  runtime::ThreadGroup threads;
  threads.spawn("third", [&] {
    try {
      connections.acquire("target", "csv_import", source.token());
    } catch (const Exception& failure) {
      ended.send(failure.error().code());
    }
  });
  source.cancel(runtime::CancelCause::kCancelSubtask);
  CHECK(ended.wait() == ErrorCode::kCancelled);
  threads.join();
}

TEST_CASE("Other connections hold from the next call on, and who waits for a place sees them") {
  NamedConnections connections({{"target", connection()}}, "");
  connections.acquire("target", "csv_import", {});
  connections.acquire("target", "csv_import", {});
  test::TestSignal<std::string> got;
  runtime::ThreadGroup threads;
  const auto wait = [&] {
    try {
      connections.acquire("target", "csv_import", {});
      got.send("a place");
    } catch (const Exception& failure) {
      got.send(failure.what());
    }
  };
  threads.spawn("third", wait);
  auto wider = connection();
  wider.user = "another";
  wider.max_connections = 3;
  connections.reconfigure({{"target", wider}});
  CHECK(got.wait() == "a place");
  CHECK(Json::parse(connections.get("target", "csv_import").value()).find("user")->asString() == "another");
  threads.spawn("fourth", wait);
  connections.reconfigure({});
  CHECK_THAT(got.wait().value(), Catch::Contains("'target'"));
  CHECK_FALSE(connections.get("target", "csv_import"));
  threads.join();
}
