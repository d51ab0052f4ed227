#pragma once
#include "disttask/sqlclient/connection.hpp"

/// Statements of NodeTable. Every predicate compares the life: epochs repeat after a node was forgotten.
namespace disttask::storage::mysql::statements {

#define DISTTASK_NODE_SELECT                                                                                      \
  "select n.exec_id, n.life, n.instance_uuid, n.boot_id, n.lock_file_id, n.renewals, n.lease_ms, n.host, n.pid, " \
  "n.address, "                                                                                                   \
  "n.nudge_token, n.types, n.wanted, unix_timestamp(n.wanted_until), n.wanted_message, n.reasons, n.version, "    \
  "n.epoch, "                                                                                                     \
  "unix_timestamp(n.registered_at), n.modifications, "                                                            \
  "m.role, m.cpu_count, m.host is not null from disttask_node n left join dist_framework_meta m on m.host = "     \
  "n.exec_id "

inline constexpr sqlclient::Sql kGetNode{"node.get", DISTTASK_NODE_SELECT "where n.exec_id = ?"};
inline constexpr sqlclient::Sql kGetAllNodes{"node.get_all", DISTTASK_NODE_SELECT "order by n.exec_id"};
#undef DISTTASK_NODE_SELECT

inline constexpr sqlclient::Sql kInsertNode{
    "node.insert",
    "insert into disttask_node (life, instance_uuid, boot_id, lock_file_id, renewals, lease_ms, host, pid, address, "
    "nudge_token, "
    "types, reasons, version, modifications, epoch, registered_at, exec_id) values (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, "
    "?, ?, "
    "?, 1, now(), ?)"};
// What an operator wanted of the node (wanted, wanted_until, wanted_message) outlives its processes.
inline constexpr sqlclient::Sql kTakeNodeOver{
    "node.take_over",
    "update disttask_node set life = ?, instance_uuid = ?, boot_id = ?, lock_file_id = ?, renewals = 0, lease_ms = ?, "
    "host = ?, pid = ?, "
    "address = ?, nudge_token = ?, types = ?, reasons = ?, version = ?, modifications = ?, "
    "epoch = epoch + 1, registered_at = now() where exec_id = ? and life = ?"};
inline constexpr sqlclient::Sql kWriteMeta{
    "node.write_meta",
    "insert into dist_framework_meta (host, role, cpu_count, keyspace_id) values (?, ?, ?, -1) "
    "on duplicate key update role = values(role), cpu_count = values(cpu_count)"};
inline constexpr sqlclient::Sql kRoleInRegister{
    "node.role_in_register", "select role from dist_framework_meta where host = ?"};
inline constexpr sqlclient::Sql kRenewNode{
    "node.renew",
    "update disttask_node set renewals = renewals + 1, lease_ms = ?, address = ?, reasons = ?, modifications = ? "
    "where exec_id = ? and life = ?"};
inline constexpr sqlclient::Sql kDescribeNode{
    "node.describe", "update disttask_node set types = ? where exec_id = ? and life = ?"};
inline constexpr sqlclient::Sql kReleaseNode{
    "node.release", "update disttask_node set life = 0 where exec_id = ? and life = ?"};
inline constexpr sqlclient::Sql kEvictNode{
    "node.evict", "update disttask_node set life = 0 where exec_id = ? and life = ? and renewals = ?"};
/// Binds: wish, seconds until its limit or NULL, message, exec_id.
inline constexpr sqlclient::Sql kSetWish{
    "node.set_wish",
    "update disttask_node set wanted = ?, wanted_until = date_add(now(), interval ? second), wanted_message = ? "
    "where exec_id = ?"};
/// Binds: seconds until its limit, message, exec_id, life.
inline constexpr sqlclient::Sql kDrainForStop{
    "node.drain_for_stop",
    "update disttask_node set wanted = 'draining', wanted_until = date_add(now(), interval ? second), "
    "wanted_message = ? where exec_id = ? and life = ? and wanted not in ('cordoned', 'draining')"};
/// Binds: exec_id, life, message.
inline constexpr sqlclient::Sql kEndStopDrain{
    "node.end_stop_drain",
    "update disttask_node set wanted = 'normal', wanted_until = null, wanted_message = '' "
    "where exec_id = ? and life = ? and wanted = 'draining' and wanted_message = ?"};
inline constexpr sqlclient::Sql kReadLife{"node.read_life", "select life from disttask_node where exec_id = ?"};
inline constexpr sqlclient::Sql kLockNode{"node.lock", "select life from disttask_node where exec_id = ? for update"};
inline constexpr sqlclient::Sql kFindSubtaskOfNode{
    "node.find_subtask", "select id from tidb_background_subtask force index (ix_exec) where exec_id = ? limit 1"};
inline constexpr sqlclient::Sql kDeleteNode{"node.delete", "delete from disttask_node where exec_id = ? and life = ?"};
inline constexpr sqlclient::Sql kDeleteMeta{"node.delete_meta", "delete from dist_framework_meta where host = ?"};

}  // namespace disttask::storage::mysql::statements
