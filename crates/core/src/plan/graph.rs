//! The order of tasks: what comes after what, circles, levels. Linear in tasks and needs, and without recursion: a
//! chain may be a million long. Never: what tasks do.

use super::Plan;

/// The tasks in an order in which each comes after all that it needs; the earlier in the file, the earlier.
/// If there are circles, what is in or behind one is left out.
pub fn order(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(needs.len());
    for level in levels(needs) {
        order.extend(level);
    }
    order
}

/// The tasks by levels: each needs something of the level before, and nothing of its own or a later one.
/// If there are circles, what is in or behind one is left out.
pub fn levels(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let dependants = Dependants::of(needs);
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut level: Vec<usize> = (0..needs.len()).filter(|task| waiting[*task] == 0).collect();
    let mut levels = Vec::new();
    while !level.is_empty() {
        let mut next = Vec::new();
        for task in &level {
            for dependant in dependants.of_task(*task) {
                waiting[*dependant] -= 1;
                if waiting[*dependant] == 0 {
                    next.push(*dependant);
                }
            }
        }
        next.sort_unstable();
        levels.push(std::mem::replace(&mut level, next));
    }
    levels
}

/// One circle of each group of tasks that wait for each other: each needs the next, and the last the first.
pub fn cycles(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut is_sorted = vec![false; needs.len()];
    for task in order(needs) {
        is_sorted[task] = true;
    }
    // What is left is in a circle or behind one. Going from need to need within it always ends in a circle.
    let mut seen_in = vec![0_usize; needs.len()];
    let mut cycles = Vec::new();
    for start in 0..needs.len() {
        let (mut path, mut at) = (Vec::new(), start);
        while !is_sorted[at] && seen_in[at] == 0 {
            seen_in[at] = start + 1;
            path.push(at);
            let Some(next) = needs[at].iter().find(|need| !is_sorted[**need]) else { break };
            at = *next;
        }
        if !is_sorted[at] && seen_in[at] == start + 1 {
            let first = path.iter().position(|task| *task == at).expect("it was seen on this path");
            let mut cycle = path.split_off(first);
            let smallest =
                cycle.iter().enumerate().min_by_key(|(_, task)| **task).map_or(0, |(place, _)| place);
            cycle.rotate_left(smallest);
            cycles.push(cycle);
        }
    }
    cycles
}

/// For each pair, whether the second is among the ancestors of the first. The needs must be without circles.
pub fn descend(needs: &[Vec<usize>], pairs: &[(usize, usize)]) -> Vec<bool> {
    let mut place = vec![0_usize; needs.len()];
    let order = order(needs);
    for (at, task) in order.iter().enumerate() {
        place[*task] = at;
    }
    let mut asked: Vec<usize> = pairs.iter().map(|(_, ancestor)| *ancestor).collect();
    asked.sort_unstable_by_key(|task| place[*task]);
    asked.dedup();
    let mut by_ancestor: Vec<usize> = (0..pairs.len()).collect();
    by_ancestor.sort_unstable_by_key(|pair| place[pairs[*pair].1]);
    let mut answers = vec![false; pairs.len()];
    let mut reached = vec![0_u64; needs.len()];
    let mut first_pair = 0;
    // 64 ancestors at a time go down the order together, one bit for each, from the first of them to the last that asks.
    for group in asked.chunks(64) {
        let last_ancestor = place[*group.last().expect("chunks are not empty")];
        let pairs_of_group = &by_ancestor[first_pair..];
        let many = pairs_of_group.partition_point(|pair| place[pairs[*pair].1] <= last_ancestor);
        let pairs_of_group = &pairs_of_group[..many];
        first_pair += many;
        let from = place[group[0]];
        let to =
            pairs_of_group.iter().map(|pair| place[pairs[*pair].0]).max().unwrap_or(from).max(last_ancestor);
        let mut bits = group.iter().enumerate().peekable();
        for (at, task) in order.iter().enumerate().take(to + 1).skip(from) {
            let above = needs[*task].iter().filter(|need| place[**need] >= from);
            let mut bit = above.fold(0, |bits, need| bits | reached[*need]);
            if bits.peek().is_some_and(|(_, ancestor)| place[**ancestor] == at) {
                bit |= bits.next().map_or(0, |(number, _)| 1 << number);
            }
            reached[*task] = bit;
        }
        for pair in pairs_of_group {
            let (task, ancestor) = pairs[*pair];
            let bit = group.partition_point(|other| place[*other] < place[ancestor]);
            answers[*pair] =
                task != ancestor && place[task] > place[ancestor] && reached[task] >> bit & 1 == 1;
        }
    }
    answers
}

/// Who depends on whom, in one list.
struct Dependants {
    first: Vec<usize>,
    all: Vec<usize>,
}

impl Dependants {
    fn of(needs: &[Vec<usize>]) -> Self {
        let mut first = vec![0; needs.len() + 1];
        for need in needs.iter().flatten() {
            first[need + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut free = first.clone();
        let mut all = vec![0; first.last().copied().unwrap_or(0)];
        for (task, needs) in needs.iter().enumerate() {
            for need in needs {
                all[free[*need]] = task;
                free[*need] += 1;
            }
        }
        Self { first, all }
    }

    fn of_task(&self, task: usize) -> &[usize] {
        &self.all[self.first[task]..self.first[task + 1]]
    }
}

impl Plan {
    /// What would start, level by level, as places in [`Plan::tasks`].
    pub fn levels(&self) -> Vec<Vec<usize>> {
        levels(&self.needs())
    }

    /// For each task, the tasks that depend on it, as places in [`Plan::tasks`].
    pub fn dependants(&self) -> Vec<Vec<usize>> {
        let mut dependants = vec![Vec::new(); self.tasks.len()];
        for (place, task) in self.tasks.iter().enumerate() {
            for need in &task.needs {
                dependants[*need].push(place);
            }
        }
        dependants
    }

    fn needs(&self) -> Vec<Vec<usize>> {
        self.tasks.iter().map(|task| task.needs.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_after_what_they_need_and_else_in_the_order_of_the_file() {
        let needs = vec![vec![3], vec![], vec![0, 1], vec![]];
        assert_eq!(levels(&needs), [vec![1, 3], vec![0], vec![2]]);
        assert_eq!(order(&needs), [1, 3, 0, 2]);
        assert_eq!(levels(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn circles_are_found_one_for_each_group_and_named_from_the_first_of_the_file() {
        assert_eq!(cycles(&[vec![1], vec![2], vec![0], vec![1]]), [vec![0, 1, 2]]);
        assert_eq!(cycles(&[vec![], vec![0], vec![1]]), Vec::<Vec<usize>>::new());
        assert_eq!(cycles(&[vec![1], vec![0], vec![3], vec![2], vec![0, 2]]), [vec![0, 1], vec![2, 3]]);
        assert_eq!(cycles(&[vec![0]]), [vec![0]]);
        assert_eq!(order(&[vec![1], vec![0], vec![], vec![2, 0]]), [2]);
    }

    #[test]
    fn a_chain_of_a_million_is_no_deeper_than_one_of_ten() {
        let chain: Vec<Vec<usize>> =
            (0..1_000_000_usize).map(|task| task.checked_sub(1).into_iter().collect()).collect();
        assert_eq!(levels(&chain).len(), 1_000_000);
        let mut ring = chain;
        ring[0] = vec![999_999];
        assert_eq!(cycles(&ring)[0].len(), 1_000_000);
    }

    #[test]
    fn ancestors_are_those_that_a_walk_finds() {
        let needs: Vec<Vec<usize>> = (0..300_usize)
            .map(|task| {
                [task.checked_sub(7), task.checked_sub(13), task.checked_sub(100)]
                    .into_iter()
                    .flatten()
                    .collect()
            })
            .collect();
        let is_ancestor = |task: usize, other: usize| {
            let mut open = needs[task].clone();
            while let Some(at) = open.pop() {
                if at == other {
                    return true;
                }
                open.extend(needs[at].iter().filter(|need| **need >= other));
            }
            false
        };
        let pairs: Vec<(usize, usize)> =
            (0..300).flat_map(|task| [(task, task / 2), (task, 3), (task, task), (3, task)]).collect();
        let expected: Vec<bool> = pairs.iter().map(|(task, other)| is_ancestor(*task, *other)).collect();
        assert_eq!(descend(&needs, &pairs), expected);
    }
}
