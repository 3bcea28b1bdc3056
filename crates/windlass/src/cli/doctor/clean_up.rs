//! How surely this machine lets go of what attempts start: which of the means are there, and what is missing without
//! them. Never: more than was looked at.

use windlass_worker::{Containment, Machine};

use super::{Finding, Health};

const ABOUT: &str = "machine";

/// The level of clean-up, the means that make it up, and a word for each that is missing.
pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let descends = machine.containment >= Containment::Descent;
    let level = if descends { Health::Ok } else { Health::Remark };
    let mut findings = vec![
        Finding::new(ABOUT, level, machine.containment.in_words()),
        Finding::new(ABOUT, Health::Ok, means(machine)),
    ];
    if !machine.has_pidfd {
        let text = "processes can't be held by a descriptor (pidfd_open is missing or forbidden): no attempt can start";
        let hint = "use Linux 5.3 or newer, or let the sandbox around Windlass allow pidfd_open";
        findings.push(Finding::new(ABOUT, Health::Wrong, text).hint(hint.to_owned()));
    }
    if !machine.reads_marks {
        let text = "marks in the environment can't be read: what a killed engine left in sessions of its own is not found";
        let hint = "mount /proc where Windlass runs";
        findings.push(Finding::new(ABOUT, Health::Remark, text).hint(hint.to_owned()));
    }
    findings
}

fn means(machine: &Machine) -> String {
    let means = [
        ("subreaper", machine.containment >= Containment::Descent),
        ("pidfd", machine.has_pidfd),
        ("lists of children", machine.has_children_file),
        ("marks readable", machine.reads_marks),
        ("control groups", machine.containment == Containment::Cgroup),
    ];
    let said = means.map(|(name, is_there)| format!("{name}: {}", if is_there { "yes" } else { "no" }));
    format!("what an attempt leaves is ended by these means: {}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Machine {
        Machine {
            containment: Containment::Marks,
            has_pidfd: false,
            has_children_file: false,
            reads_marks: false,
            descriptors_max: (1024, 1024),
            processes_max: None,
            memory_bytes: None,
        }
    }

    fn healths(machine: &Machine) -> Vec<Health> {
        findings(machine).iter().map(|found| found.health).collect()
    }

    #[test]
    fn a_machine_without_a_means_is_told_what_that_costs() {
        assert_eq!(healths(&bare()), [Health::Remark, Health::Ok, Health::Wrong, Health::Remark]);
        let whole =
            Machine { containment: Containment::Descent, has_pidfd: true, reads_marks: true, ..bare() };
        assert_eq!(healths(&whole), [Health::Ok, Health::Ok]);
        assert_eq!(
            means(&whole),
            "what an attempt leaves is ended by these means: subreaper: yes, pidfd: yes, lists of children: no, \
             marks readable: yes, control groups: no"
        );
        let grouped = Machine { containment: Containment::Cgroup, ..whole };
        assert_eq!(healths(&grouped), [Health::Ok, Health::Ok]);
        assert!(means(&grouped).ends_with(
            "subreaper: yes, pidfd: yes, lists of children: no, marks readable: yes, control groups: yes"
        ));
    }
}
