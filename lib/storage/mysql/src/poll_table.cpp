#include "disttask/storage/poll_table.hpp"

#include "dxf_work.hpp"
#include "factories.hpp"
#include "store_context.hpp"

#include "statements/dxf.hpp"
#include "statements/poll.hpp"

namespace disttask::storage::mysql {

namespace {

/// PollTable on the server; its doc comments are the contract.
class MysqlPollTable final : public PollTable {
 public:
  explicit MysqlPollTable(StoreContext& context) : context_(context) {}

  NodePoll poll(const Call& call, const ExecId& exec_id) override {
    call.check("poll");
    return context_.read(call, "poll", [&](Connection& connection) {
      if (context_.dialect() == nullptr)
        return readPoll(connection.query(sql::kPoll, {exec_id, exec_id, exec_id, exec_id}));
      auto seen = readPoll(connection.query(sql::kDxfPoll, {exec_id, exec_id, exec_id}));
      if (seen.has_subtasks) seen.has_subtasks = !findDxfWork(connection, exec_id, true).empty();
      return seen;
    });
  }

 private:
  static NodePoll readPoll(sqlclient::Result rows) {
    if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "the owner row (disttask_owner, id 1) is missing");
    NodePoll seen;
    if (!rows.isNull(1)) seen.life = proto::Life(rows.getInt(1));
    seen.wanted = proto::parseWantedState(rows.getString(2));
    if (!rows.isNull(3)) seen.meta_slots = static_cast<std::int32_t>(rows.getInt(3));
    seen.owner.exec_id = rows.getString(4);
    seen.owner.life = proto::Life(rows.getInt(5));
    seen.owner.renewals = rows.getInt(6);
    seen.owner.term = rows.getInt(7);
    seen.is_wish_due = !rows.isNull(8) && rows.getInt(8) != 0;
    seen.modifications = rows.getInt(9);
    seen.has_subtasks = !rows.isNull(10);
    seen.has_plan = !rows.isNull(11);
    return seen;
  }

  StoreContext& context_;
};

}  // namespace

std::unique_ptr<PollTable> makePollTable(StoreContext& context) {
  return std::make_unique<MysqlPollTable>(context);
}

}  // namespace disttask::storage::mysql
