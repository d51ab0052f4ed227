#include "support/test_store.hpp"

#include "disttask/base/random.hpp"
#include "disttask/sqlclient/dsn.hpp"

#include <cstdlib>
#include <stdexcept>

namespace disttask::test {

sqlclient::ConnectSettings testConnectSettings() {
  const char* const text = std::getenv("DISTTASK_TEST_DSN");
  if (text == nullptr || *text == '\0') {
    throw std::runtime_error(
        "DISTTASK_TEST_DSN is not set: it names the test server, as in mysql://root@localhost/?socket=/tmp/s.sock "
        "(tests/run.sh starts one and sets it)"
    );
  }
  auto settings = toConnectSettings(sqlclient::parseDsn(text));
  settings.schema.clear();
  return settings;
}

TestStore::TestStore(Schema schema, storage::mysql::StoreSettings settings, runtime::Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {
  sqlclient::initializeDriver();
  settings_.connect = testConnectSettings();
  settings_.schema = "disttask_test_" + std::to_string(randomToken());
  const auto server = sqlclient::Connection::open(settings_.connect);
  store_ = makeStore();
  if (schema == Schema::kEmpty) {
    server->execute("create database " + settings_.schema + " character set utf8mb4 collate utf8mb4_bin");
  } else if (schema == Schema::kInstalled) {
    store_->schema().install({});
  }
}

TestStore::~TestStore() {
  store_.reset();
  connection_.reset();
  try {
    sqlclient::Connection::open(settings_.connect)->execute("drop database if exists " + settings_.schema);
  } catch (const Exception&) {  // the server is gone, and its schemas with it
  }
}

std::unique_ptr<storage::mysql::Store> TestStore::makeStore() const {
  return std::make_unique<storage::mysql::Store>(settings_, clock_);
}

bool TestStore::isTiDb() const {
  return connect()->flavour() == sqlclient::Flavour::kTiDb;
}

std::unique_ptr<sqlclient::Connection> TestStore::connect() const {
  auto settings = settings_.connect;
  settings.schema = settings_.schema;
  settings.session = {"set session time_zone = '+00:00'"};
  return sqlclient::Connection::open(settings);
}

std::string TestStore::scalar(const std::string& sql) const {
  if (!connection_ || connection_->isBroken()) connection_ = connect();
  auto rows = connection_->queryDynamic("test.scalar", sql, {});
  return rows.next() ? rows.getString(1) : std::string();
}

std::int64_t TestStore::execute(const std::string& sql) const {
  if (!connection_ || connection_->isBroken()) connection_ = connect();
  return connection_->execute(sql);
}

}  // namespace disttask::test
