#include "context.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>
#include <sys/stat.h>

using namespace disttask;
using namespace disttask::ctl;

namespace {
std::optional<settings::StoreSettings> choose(
    const CommonOptions& options,
    const std::optional<std::string>& dsn = std::nullopt,
    const std::optional<std::string>& password = std::nullopt,
    const std::string& home = ""
) {
  settings::HostFacts facts;
  facts.host_name = "h";
  return chooseStoreFrom(options, dsn, password, home, facts);
}

CommonOptions withStore(const std::string& store) {
  CommonOptions options;
  options.store = store;
  return options;
}
}  // namespace

TEST_CASE("The option wins over the variable, the variable over files") {
  const test::TempDir home;
  (void)home.write("disttask/ctl.yaml", "store: {socket: /from/file}\n");
  const auto daemon = home.write("daemon.yaml", "store: {socket: /from/daemon}\n");
  CommonOptions with_config;
  with_config.config = daemon.string();
  const auto file_home = home.path().string();
  CHECK(choose(withStore("mysql://u@a/"), "mysql://u@b/", std::nullopt, file_home)->endpoints.front().host == "a");
  CHECK(choose({}, "mysql://u@b/", std::nullopt, file_home)->endpoints.front().host == "b");
  CHECK(choose(with_config, std::nullopt, std::nullopt, file_home)->endpoints.front().socket == "/from/daemon");
  CHECK(choose({}, std::nullopt, std::nullopt, file_home)->endpoints.front().socket == "/from/file");
  CHECK_FALSE(choose({}));
}

TEST_CASE("A password inside --store is refused and not shown, inside the variable it is taken") {
  CHECK_THROWS_WITH(
      choose(withStore("mysql://u:hush@a/")), Catch::Contains("DISTTASK_PASSWORD") && !Catch::Contains("hush")
  );
  CHECK(choose({}, "mysql://u:hush@a/")->password.value == "hush");
}

TEST_CASE("DISTTASK_PASSWORD wins over a password file, which wins over the address") {
  auto options = withStore("mysql://u@a/");
  options.password_file = "/run/pw";
  CHECK(choose(options, std::nullopt, "hush")->password.value == "hush");
  CHECK(choose(options, std::nullopt, "hush")->password.file.empty());
  CHECK(choose(options)->password.file == "/run/pw");
}

TEST_CASE("With a password at hand the files of passwords that a daemon's settings name need not be readable") {
  const test::TempDir folder;
  const auto daemon = folder.write(
      "daemon.yaml",
      "store: {socket: /from/daemon, password_file: /no/store.password}\n"
      "connections:\n  shop: {socket: /s, user: u, types: [sql_batch], schemas: [shop], password_file: "
      "/no/shop.password,\n"
      "    tls: {mode: off, cert: " +
          folder.write("cert", "c").string() + ", key: /no/key}}\n"
  );
  CommonOptions options;
  options.config = daemon.string();
  try {
    (void)choose(options);
    FAIL("accepted");
  } catch (const Exception& failure) {
    CHECK(failure.error().code() == ErrorCode::kInvalidConfig);
    CHECK_THAT(failure.what(), Catch::Contains("/no/store.password") && Catch::Contains("/no/shop.password"));
  }
  CHECK(choose(options, std::nullopt, "hush")->password.value == "hush");
  options.password_file = "/run/pw";
  CHECK(choose(options)->password.file == "/run/pw");
}

TEST_CASE("An address that cannot be read is a mistake of use, a wrong file one of settings") {
  try {
    (void)choose(withStore("nonsense"));
    FAIL("accepted");
  } catch (const Exception& failure) {
    CHECK(failure.error().code() == ErrorCode::kInvalidArgument);
  }
  const test::TempDir home;
  (void)home.write("disttask/ctl.yaml", "stoer: {}\n");
  try {
    (void)choose({}, std::nullopt, std::nullopt, home.path().string());
    FAIL("accepted");
  } catch (const Exception& failure) {
    CHECK(failure.error().code() == ErrorCode::kInvalidConfig);
  }
}

TEST_CASE("The schema of a live TiDB is named mysql from then on, however it is written") {
  CHECK(choose(withStore("mysql://u@a/MySQL"))->schema == "mysql");
  CHECK(choose({}, "mysql://u@a/MYSQL")->schema == "mysql");
  auto options = withStore("mysql://u@a/other");
  options.schema = "MySql";
  CHECK(choose(options)->schema == "mysql");
  options.schema = "Own";
  CHECK(choose(options)->schema == "Own");
}
