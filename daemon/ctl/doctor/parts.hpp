#pragma once
#include "findings.hpp"

namespace disttask::ctl {

// The parts of diagnose(); each adds what it finds.

/// Store, schema, rights, encryption, clock.
void diagnoseStore(const DoctorFacts& facts, std::vector<Finding>& findings);
/// The scheduler role and the nodes.
void diagnoseNodes(const DoctorFacts& facts, std::vector<Finding>& findings);
/// Programs and task types that differ between live nodes.
void diagnoseTypes(const DoctorFacts& facts, std::vector<Finding>& findings);
/// Rows, plans and tasks in states that should not last.
void diagnoseStuckStates(const DoctorFacts& facts, std::vector<Finding>& findings);

}  // namespace disttask::ctl
