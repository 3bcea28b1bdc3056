//! Making an attempt ready to be started: program, variables, streams. Never: starting it.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::pipe::PipeFlags;
use windlass_core::effect::{Assignment, Program};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::template::PromptPart;

use super::Surroundings;
use super::spool::Spool;
use crate::adapter::{self, Reading, Recipe};
use crate::environment::{self, Whereabouts};
use crate::link::MESSAGE_BYTES_MAX;
use crate::os::{Host, Os as _};
use crate::settings::Settings;
use crate::wire::{StartBytes, start_in_file};
use crate::{cgroups, fault, folder, private, program};

/// A prompt up to this size lies in memory, a longer one in a file without a name.
const PROMPT_BYTES_IN_MEMORY: u64 = 1 << 20;

/// An attempt that only has to be handed to a monitor.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) message: Vec<u8>,
    /// Standard input, output and error, and the text of the order where it is too long for a message.
    pub(super) descriptors: Vec<Arc<OwnedFd>>,
    /// The other ends of output and error.
    pub(super) streams: [OwnedFd; 2],
    pub(super) program: PathBuf,
    pub(super) reading: Reading,
}

/// Whether making this ready may take as long as a disk does, since it is asked more than fits into memory.
pub(super) fn takes_long(program: &Program) -> bool {
    matches!(program, Program::Agent { prompt, .. } if bytes_at_least(prompt) >= PROMPT_BYTES_IN_MEMORY)
}

/// How long a prompt is, as far as that is known; one with a blob in it counts as long.
fn bytes_at_least(prompt: &[PromptPart]) -> u64 {
    let length = |part: &PromptPart| match part {
        PromptPart::Text(text) => text.len() as u64,
        PromptPart::Blob(_) => PROMPT_BYTES_IN_MEMORY,
    };
    prompt.iter().map(length).sum()
}

/// Makes everything ready, or says why the attempt can't be started.
pub(super) fn prepare(
    settings: &Settings,
    assignment: &Assignment,
    surroundings: &Surroundings,
    null: &Arc<OwnedFd>,
) -> Result<Ready, Failure> {
    let ready = lay_out(settings, assignment, surroundings, null);
    if ready.is_err() {
        Spool::of(settings, assignment.fence).clear();
    }
    ready
}

fn lay_out(
    settings: &Settings,
    assignment: &Assignment,
    surroundings: &Surroundings,
    null: &Arc<OwnedFd>,
) -> Result<Ready, Failure> {
    let spool = Spool::of(settings, assignment.fence);
    spool.make_folder().map_err(|error| not_made("the folder of its output could not be made", &error))?;
    let recipe = adapter::recipe(&assignment.program, spool.notes())?;
    let place = Whereabouts {
        home: &settings.home,
        home_id: &settings.home_id,
        owners: settings.owners.as_ref(),
        around: &assignment.around,
        elsewhere: assignment.elsewhere,
        folder: &assignment.folder,
        workspace: &assignment.workspace,
        output: &spool.output(),
    };
    let mut env = environment::of_attempt(
        &surroundings.env_base,
        &assignment.pass,
        &assignment.env,
        &assignment.key,
        &place,
    );
    if let Some(feedback) = &assignment.feedback {
        let path = spool.feedback();
        let file = private::options().write(true).truncate(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(feedback.as_bytes()));
        written.map_err(|error| not_made("its feedback could not be written", &error))?;
        env.insert("WINDLASS_FEEDBACK".to_owned(), path.display().to_string());
    }
    env.extend(recipe.env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let (folder, workspace) = (Path::new(&assignment.folder), Path::new(&assignment.workspace));
    // By its real path, so that no link can be made another between this look and the start.
    let real = if folder == workspace { folder.to_owned() } else { folder::to_work_in(folder, workspace)? };
    if folder.components().any(|step| step == Component::ParentDir) {
        // No shell takes such a `PWD` for the folder that it is in.
        env.insert("PWD".to_owned(), real.display().to_string());
    }
    let program = program::find(&recipe.program, env.get("PATH").map(String::as_str), folder)?;

    let mut start = StartBytes::new(assignment.fence.0, recipe.argv.len(), env.len());
    let mut sound = start.push(&[program.as_os_str().as_encoded_bytes()])
        && start.push(&[real.as_os_str().as_encoded_bytes()])
        && start.push(&[cgroups::name_of(&assignment.key).as_bytes()]);
    for word in &recipe.argv {
        sound &= start.push(&[word.as_bytes()]);
    }
    for (name, value) in &env {
        sound &= start.push(&[name.as_bytes(), b"=", value.as_bytes()]);
    }
    if !sound {
        return Err(Failure::new(ErrorKind::SpawnInvalid, "an argument or a variable holds a zero byte")
            .hint("hand binary values over on standard input or in a file"));
    }
    let input = standard_input(settings, &recipe, surroundings, null)?;
    let no_stream = |error: io::Error| not_made("its streams could not be made", &error);
    let (output, output_in) = stream().map_err(no_stream)?;
    let (errors, errors_in) = stream().map_err(no_stream)?;
    let mut descriptors = vec![input, Arc::new(output_in), Arc::new(errors_in)];
    let mut message = start.into_bytes();
    if message.len() > MESSAGE_BYTES_MAX {
        let mut file = File::from(Host::memory_file("windlass-order").map_err(no_stream)?);
        file.write_all(&message).map_err(no_stream)?;
        descriptors.push(Arc::new(file.into()));
        message = start_in_file(message.len()).to_vec();
    }
    Ok(Ready { message, descriptors, streams: [output, errors], program, reading: recipe.reading })
}

/// A pipe whose reading end never makes a reader wait.
fn stream() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&reading, OFlags::NONBLOCK)?;
    Ok((reading, writing))
}

/// The prompt as a file, so that nobody has to go on writing it; nothing where there is none.
fn standard_input(
    settings: &Settings,
    recipe: &Recipe,
    surroundings: &Surroundings,
    null: &Arc<OwnedFd>,
) -> Result<Arc<OwnedFd>, Failure> {
    let no_prompt = |error: io::Error| not_made("its prompt could not be written", &error);
    if recipe.prompt.is_empty() {
        return Ok(Arc::clone(null));
    }
    let mut file = if bytes_at_least(&recipe.prompt) < PROMPT_BYTES_IN_MEMORY {
        File::from(Host::memory_file("windlass-prompt").map_err(no_prompt)?)
    } else {
        tempfile::tempfile_in(settings.spool()).map_err(no_prompt)?
    };
    for part in &recipe.prompt {
        match part {
            PromptPart::Text(text) => file.write_all(text.as_bytes()).map_err(no_prompt)?,
            PromptPart::Blob(digest) => {
                let mut blob = surroundings.blobs.open(digest).map_err(|error| not_given(&error))?;
                copy(&mut *blob, &mut file)?;
            }
        }
    }
    file.rewind().map_err(no_prompt)?;
    Ok(Arc::new(file.into()))
}

/// Copies a blob to its end, before which nobody knows whether it is sound.
fn copy(blob: &mut dyn Read, prompt: &mut File) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match blob.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let written = prompt.write_all(&buffer[..length]);
                written.map_err(|error| not_made("its prompt could not be written", &error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(not_given(&error)),
        }
    }
}

/// What it means that the store does not give what a prompt needs: neither the task nor its agent is at fault.
fn not_given(error: &io::Error) -> Failure {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    errno.and_then(fault::exhausted).unwrap_or_else(|| {
        let what = format!("a large output that its prompt needs can't be read: {error}");
        Failure::new(ErrorKind::Interrupted, what).hint("`windlass doctor` looks the store through")
    })
}

/// What it means that something of ours could not be made for an attempt.
pub(super) fn not_made(what: &str, error: &io::Error) -> Failure {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    match errno {
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            Failure::new(ErrorKind::DiskFull, format!("{what}: {error}"))
                .hint("make room on the disk of the home")
        }
        Some(errno) if fault::exhausted(errno).is_some() => {
            fault::exhausted(errno).expect("it was there just before")
        }
        Some(rustix::io::Errno::FBIG) => {
            Failure::new(ErrorKind::SpawnInvalid, format!("{what}: {error}")).hint(fault::LARGER_FILES)
        }
        _ => Failure::new(ErrorKind::SpawnInvalid, format!("{what}: {error}")),
    }
}
