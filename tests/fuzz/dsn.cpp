// The address of a store, of --store and DISTTASK_STORE. What is accepted is shown without its password, and means the
// same again; no refusal shows one.
#include "disttask/sqlclient/dsn.hpp"

#include "fuzz.hpp"

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::textOf(data, size);
  const auto parse = [](std::string_view address) {
    return fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return sqlclient::parseDsn(address); });
  };
  if (const auto dsn = parse(text)) {
    const auto again = parse(sqlclient::toDisplayText(*dsn));
    fuzz::expect(again.has_value(), "what is shown can be read", sqlclient::toDisplayText(*dsn));
    fuzz::expect(
        again->user == dsn->user && again->schema == dsn->schema && again->endpoint.socket == dsn->endpoint.socket &&
            again->tls.mode == dsn->tls.mode && again->endpoint.host == dsn->endpoint.host && !again->password,
        "what is shown means the same, without the password",
        sqlclient::toDisplayText(*dsn)
    );
  }
  const std::string secret = "Gr33nHush";
  if (text.find(secret) != std::string_view::npos) return 0;  // outside of the password it may be shown
  try {
    const auto dsn = sqlclient::parseDsn("mysql://u:" + secret + "@" + std::string(text));
    fuzz::expect(sqlclient::toDisplayText(dsn).find(secret) == std::string::npos, "a password is not shown");
  } catch (const Exception& refusal) {
    fuzz::expect(refusal.error().message().find(secret) == std::string::npos, "a refusal shows no password");
  }
  return 0;
}
