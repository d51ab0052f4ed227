#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace disttask::scheduler {

/// What a node is to a task (design rules 6, 24).
enum class Fitness : std::uint8_t {
  kFits,   ///< gets subtasks
  kKeeps,  ///< gets no more, and keeps its pending ones: cordoned, or its row of dist_framework_meta is missing for the
           ///< moment
  kLeaves,  ///< its pending ones go elsewhere: not alive, draining, other scope, type not offered, too few slots
};
[[nodiscard]] std::string_view toString(Fitness fitness) noexcept;

/// The nodes as one round sees them, and who may do what for a task. A value; thread-compatible.
class Placement {
 public:
  Placement() = default;
  /// `silent`: live nodes that have missed renewals but whose lease has not run out.
  explicit Placement(std::vector<proto::Node> nodes, std::set<proto::ExecId> silent = {});

  [[nodiscard]] const std::vector<proto::Node>& nodes() const noexcept { return nodes_; }
  /// Returns the node, or nullptr.
  [[nodiscard]] const proto::Node* find(const proto::ExecId& exec_id) const;
  [[nodiscard]] Fitness fitnessOf(const proto::ExecId& exec_id, const proto::TaskBase& task) const;
  /// Returns the nodes that fit, by exec id, at most the task's max_nodes: those among `holders` (which have rows of it
  /// already) first, in their order.
  [[nodiscard]] std::vector<proto::ExecId> eligible(
      const proto::TaskBase& task, const std::vector<proto::ExecId>& holders = {}
  ) const;
  /// True if the node lives and offers the task's type: enough to plan and to revert.
  [[nodiscard]] bool canPlan(const proto::ExecId& exec_id, const proto::TaskBase& task) const;
  /// True if the operator wants the node empty.
  [[nodiscard]] bool isDraining(const proto::ExecId& exec_id) const;
  /// Returns who should plan: of those that fit, the one with the fewest open plans, silent ones last, as a plan lies
  /// still there until their lease has run out. With `any_scope` (reverts) others that can plan come after them.
  [[nodiscard]] std::optional<proto::ExecId> choosePlanner(
      const proto::TaskBase& task, const std::map<proto::ExecId, int>& open_plans, bool any_scope
  ) const;
  /// Says why no node fits, for people: "no node is alive", "no live node offers type 'x'", …
  [[nodiscard]] std::string whyNone(const proto::TaskBase& task) const;
  /// Changes whenever it matters for placing: lives, scopes, types, slots, wanted states.
  [[nodiscard]] std::size_t fingerprint() const noexcept { return fingerprint_; }

 private:
  std::vector<proto::Node> nodes_;  ///< by exec id
  std::set<proto::ExecId> silent_;
  bool has_background_ = false;
  std::size_t fingerprint_ = 0;
};

}  // namespace disttask::scheduler
