#pragma once
#include "disttask/base/error.hpp"

#include <string>
#include <string_view>

namespace disttask::sqlclient {

/// What an error number of a server or of the client library means to us (design rule 26); one table, one test per
/// number.
struct SqlErrorMeaning {
  ErrorCode code;
  bool breaks_connection;  ///< the connection must not be used again; the outcome of a write is unknown
};
[[nodiscard]] SqlErrorMeaning meaningOf(int number, std::string_view sql_state) noexcept;
/// Returns the error for a failed statement: number, name of the statement and the server's text.
[[nodiscard]] Error makeSqlError(
    int number, std::string_view sql_state, std::string_view statement_name, std::string_view text
);

}  // namespace disttask::sqlclient
