//! Errands over real repositories, each by a process of its own, as the keeper starts them. Never: settings of git's from
//! outside, or a network.

mod cut;
mod durable;
mod landing;
mod looking;
mod made;
mod traced;
mod work;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use windlass_core::errand::{CommitWork, Done, Errand, MakeWorktree, Merge, ObjectId, PrepareMerge};
use windlass_core::failure::Failure;

use crate::stage::PAWL;

/// A repository with a first commit, and room beside it.
pub(crate) struct Field {
    room: TempDir,
}

pub(crate) const BRANCH: &str = "windlass/abcdef/fix@1";
pub(crate) const TARGET: &str = "windlass/abcdef/target";

impl Field {
    pub(crate) fn new() -> Self {
        // In memory, where there is room: what git syncs is not looked at here.
        let room = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder");
        let field = Self { room };
        fs::create_dir(field.repository()).expect("ours");
        field.git(&field.repository(), &["init", "--quiet", "--initial-branch=main"]);
        field.write("repository/a file", "one\ntwo\nthree\n");
        field.write("repository/.gitignore", "*.o\ntarget/\n");
        field.write("repository/deep/ünïcode/b", "b\n");
        field.commit(&field.repository(), "first");
        field
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.room.path().join("repository")
    }

    pub(crate) fn worktree(&self) -> PathBuf {
        self.room.path().join("home of it/fix")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("not the root")).expect("ours");
        fs::write(path, text).expect("ours");
    }

    /// Writes into the worktree.
    pub(crate) fn leave(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(&format!("home of it/fix/{name}"), text);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[expect(clippy::disallowed_methods, reason = "a test does what operators and agents do")]
    pub(crate) fn try_git(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new("git");
        command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").expect("a PATH"));
        command.env("HOME", self.path("nobody")).env("GIT_CONFIG_NOSYSTEM", "1");
        for setting in ["user.name=Agent Smith", "user.email=smith@example.org", "protocol.file.allow=always"]
        {
            command.args(["-c", setting]);
        }
        command.args(arguments).stdin(Stdio::null()).output().expect("git is there")
    }

    /// What git prints.
    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let done = self.try_git(folder, arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    /// git in the worktree.
    pub(crate) fn agent(&self, arguments: &[&str]) -> String {
        self.git(&self.worktree(), arguments)
    }

    pub(crate) fn commit(&self, folder: &Path, message: &str) -> ObjectId {
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.at(folder, "HEAD")
    }

    pub(crate) fn at(&self, folder: &Path, name: &str) -> ObjectId {
        ObjectId(self.git(folder, &["rev-parse", "--verify", name]))
    }

    pub(crate) fn head(&self) -> ObjectId {
        self.at(&self.repository(), "HEAD")
    }

    /// The content of a file at a commit.
    pub(crate) fn shown(&self, commit: &str, file: &str) -> String {
        self.git(&self.repository(), &["show", &format!("{commit}:{file}")])
    }

    pub(crate) fn rescued(&self) -> Vec<String> {
        let names =
            self.git(&self.repository(), &["for-each-ref", "--format=%(refname)", "refs/windlass/rescue"]);
        names.lines().map(str::to_owned).collect()
    }

    /// An errand by a process of its own.
    #[expect(clippy::disallowed_methods, reason = "a test is the monitor")]
    fn process(&self, errand: &Errand, env: &[(&str, &str)]) -> Output {
        self.write("errand.json", serde_json::to_string(errand).expect("plain data"));
        let input = fs::File::open(self.path("errand.json")).expect("it was just written");
        let mut command = Command::new(PAWL);
        command.arg0("windlass-errand").current_dir("/").env_clear();
        // What a surrounding git leaves in the environment, and no identity at all.
        command.env("PATH", std::env::var_os("PATH").expect("a PATH")).env("HOME", self.path("nobody"));
        command.env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/nowhere").env("GIT_WORK_TREE", "/nowhere");
        command.envs(env.iter().copied());
        command.stdin(input).output().expect("it is built")
    }

    pub(crate) fn run(&self, errand: &Errand) -> Result<Done, Failure> {
        Self::outcome(&self.process(errand, &[]))
    }

    /// The same with a variable in its environment.
    pub(crate) fn run_with(&self, errand: &Errand, name: &str, value: &str) -> Result<Done, Failure> {
        Self::outcome(&self.process(errand, &[(name, value)]))
    }

    fn outcome(done: &Output) -> Result<Done, Failure> {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?} {said}"))
    }

    /// The same, cut off before this step. True if it had that many.
    pub(crate) fn run_until(&self, errand: &Errand, step: u32) -> bool {
        !self.process(errand, &[("WINDLASS_ERRAND_CUT", &step.to_string())]).status.success()
    }

    pub(crate) fn making(&self, branch: &str, base: &ObjectId) -> MakeWorktree {
        MakeWorktree {
            repository: self.repository().display().to_string(),
            path: self.worktree().display().to_string(),
            branch: branch.to_owned(),
            base: base.clone(),
            copy: Vec::new(),
            link: Vec::new(),
        }
    }

    /// A worktree on this branch at the head of the repository.
    pub(crate) fn make(&self, branch: &str) -> ObjectId {
        let base = self.head();
        assert_eq!(self.run(&Errand::MakeWorktree(self.making(branch, &base))), Ok(Done::WorktreeMade));
        base
    }

    pub(crate) fn committing(&self, branch: &str, base: &ObjectId) -> CommitWork {
        CommitWork {
            path: self.worktree().display().to_string(),
            branch: branch.to_owned(),
            base: base.clone(),
            key: "abcdef/fix/1".parse().expect("a key"),
            message: "fix: what is broken".to_owned(),
            must_be_committed: false,
        }
    }

    /// The commit of what the attempt left, and whether it is empty.
    pub(crate) fn committed(&self, base: &ObjectId) -> (ObjectId, bool) {
        match self.run(&Errand::CommitWork(self.committing(BRANCH, base))) {
            Ok(Done::WorkCommitted { commit, is_empty, .. }) => (commit, is_empty),
            other => panic!("{other:?}"),
        }
    }

    /// The failure to commit it.
    pub(crate) fn not_committed(&self, base: &ObjectId) -> Failure {
        self.run(&Errand::CommitWork(self.committing(BRANCH, base))).expect_err("it can't be committed")
    }

    pub(crate) fn preparing(&self, base: &ObjectId, work: &ObjectId) -> PrepareMerge {
        PrepareMerge {
            repository: self.repository().display().to_string(),
            target: TARGET.to_owned(),
            start: base.clone(),
            base: base.clone(),
            work: work.clone(),
            key: "abcdef/fix/1".parse().expect("a key"),
            message: "fix: what is broken".to_owned(),
        }
    }

    pub(crate) fn merging(&self, expect_old: &ObjectId, new_tip: &ObjectId) -> Merge {
        Merge {
            repository: self.repository().display().to_string(),
            target: TARGET.to_owned(),
            expect_old: expect_old.clone(),
            new_tip: new_tip.clone(),
            key: "abcdef/fix/1".parse().expect("a key"),
        }
    }
}
