#include "disttask/storage/poll_table.hpp"

#include "factories.hpp"
#include "store_context.hpp"

#include "statements/poll.hpp"

namespace disttask::storage::mysql {

namespace {

/// PollTable on the server; its doc comments are the contract.
class MysqlPollTable final : public PollTable {
 public:
  explicit MysqlPollTable(StoreContext& context) : context_(context) {}

  NodePoll poll(const Call& call, const ExecId& exec_id, PollScope scope) override {
    call.check("poll");
    return context_.read(call, "poll", [&](Connection& connection) {
      const bool with_meta = scope == PollScope::kAll;
      auto rows = with_meta ? connection.query(sql::kPoll, {exec_id, exec_id, exec_id, exec_id})
                            : connection.query(sql::kPollWithoutMeta, {exec_id, exec_id, exec_id});
      if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "the owner row (disttask_owner, id 1) is missing");
      NodePoll seen;
      if (!rows.isNull(1)) seen.life = proto::Life(rows.getInt(1));
      seen.wanted = proto::parseWantedState(rows.getString(2));
      seen.owner.exec_id = rows.getString(3);
      seen.owner.life = proto::Life(rows.getInt(4));
      seen.owner.renewals = rows.getInt(5);
      seen.owner.term = rows.getInt(6);
      seen.is_wish_due = !rows.isNull(7) && rows.getInt(7) != 0;
      seen.modifications = rows.getInt(8);
      seen.has_subtasks = !rows.isNull(9);
      seen.has_plan = !rows.isNull(10);
      seen.looked_at_meta = with_meta;
      if (with_meta && !rows.isNull(11)) seen.meta_slots = static_cast<std::int32_t>(rows.getInt(11));
      return seen;
    });
  }

 private:
  StoreContext& context_;
};

}  // namespace

std::unique_ptr<PollTable> makePollTable(StoreContext& context) {
  return std::make_unique<MysqlPollTable>(context);
}

}  // namespace disttask::storage::mysql
