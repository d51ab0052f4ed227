#include "doctor.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addDoctorCommands(ArgumentTree& tree) {
  auto [doctor, doctor_options] = tree.verb<Doctor>(
      &tree.root(),
      "doctor",
      "Look for what is wrong: store, schema, rights, clock, nodes, stuck states, plugins. Exit code 0 healthy, 1 "
      "degraded, 2 down"
  );
  doctor
      ->add_option_function<std::string>(
          "--role",
          [&options = doctor_options](const std::string& name) { options.role = *storage::mysql::parseRole(name); },
          "Whose rights this account should have; default reader"
      )
      ->check(CLI::IsMember({"daemon", "operator", "reader"}));
  addDuration(
      doctor,
      "--observe",
      doctor_options.observe,
      "Watch the leases for so long, such as 15s, and name live nodes that renew none, each a quarter of its lease; "
      "beside a live TiDB the default is as long as the longest lease wants, at most 30s, and 0s leaves it out"
  );
  auto* grants = tree.noun("grants", "Accounts of the store");
  auto [print, print_options] =
      tree.verb<GrantsPrint>(grants, "print", "Write the SQL that gives an account what its role needs, and no more");
  print
      ->add_option_function<std::string>(
          "--role",
          [&options = print_options](const std::string& name) {
            if (name != "all") options.role = storage::mysql::parseRole(name);
          },
          "daemon, operator, reader, or all (default)"
      )
      ->check(CLI::IsMember({"daemon", "operator", "reader", "all"}));
  print->add_option("--user", print_options.user, "Name of the account; default disttask_ROLE");
  print->add_option("--host", print_options.host, "From where it connects; default %, everywhere");
  print->add_option("--schema", print_options.schema, "The schema; default: that of the store, else disttask");
  print->add_option(
      "--side-schema",
      print_options.side_schema,
      "With schema mysql, beside a live TiDB: the schema of our own tables; default that of the store, else disttask"
  );
}

}  // namespace disttask::ctl
