//! The graphs that are measured, for both contenders from one description. Never: anything random.

use std::fmt::Write as _;

/// Tasks by number.
pub(crate) struct Graph {
    pub(crate) name: &'static str,
    /// The earlier tasks that each needs.
    pub(crate) needs: Vec<Vec<usize>>,
}

impl Graph {
    /// Each task needs the one before.
    pub(crate) fn chain(tasks: usize) -> Self {
        let needs = (0..tasks).map(|task| task.checked_sub(1).into_iter().collect()).collect();
        Self { name: "chain", needs }
    }

    /// No task needs another.
    pub(crate) fn flat(tasks: usize) -> Self {
        Self { name: "flat", needs: vec![Vec::new(); tasks] }
    }

    /// Layers of 20; each task needs three of the layer before.
    pub(crate) fn layered(tasks: usize) -> Self {
        const WIDE: usize = 20;
        let needs_of = |task: usize| {
            let (layer, place) = (task / WIDE, task % WIDE);
            let mut needs: Vec<usize> = match layer.checked_sub(1) {
                Some(before) => [0, 7, 13].iter().map(|step| before * WIDE + (place + step) % WIDE).collect(),
                None => Vec::new(),
            };
            needs.sort_unstable();
            needs
        };
        Self { name: "layered", needs: (0..tasks).map(needs_of).collect() }
    }

    /// How many tasks.
    pub(crate) fn tasks(&self) -> usize {
        self.needs.len()
    }

    /// As a plan of Windlass: argv, no shell.
    pub(crate) fn plan(&self) -> String {
        let mut plan = format!("version: 1\ngoal: {} tasks of true, {}\ntasks:\n", self.tasks(), self.name);
        for (task, needs) in self.needs.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
            let needs =
                if needs.is_empty() { String::new() } else { format!("needs: [{}], ", needs.join(", ")) };
            writeln!(plan, "  t{task}: {{ {needs}run: [\"true\"] }}").expect("a String takes all");
        }
        plan
    }

    /// As a build file of ninja: the outputs are never made, so that each run runs all.
    pub(crate) fn ninja(&self, command: &str) -> String {
        let mut build = format!("rule true\n  command = {command}\n");
        for (task, needs) in self.needs.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!(" t{need}")).collect();
            writeln!(build, "build t{task}: true{}", needs.concat()).expect("a String takes all");
        }
        build
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_contenders_get_the_same_graph() {
        let chain = Graph::chain(2);
        let plan = "version: 1\ngoal: 2 tasks of true, chain\ntasks:\n  t0: { run: [\"true\"] }\n  t1: { needs: [t0], run: [\"true\"] }\n";
        assert_eq!(chain.plan(), plan);
        assert_eq!(chain.ninja("true"), "rule true\n  command = true\nbuild t0: true\nbuild t1: true t0\n");
        assert!(Graph::layered(40).ninja("true").ends_with("build t39: true t6 t12 t19\n"));
    }
}
