//! An engine in this process: on a thread of its own, with its socket, and the news of it for the thread that talks to
//! the user. Never: talking to the user.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use windlass_core::id::RunId;
use windlass_core::input::{Answer, Ask, Command};
use windlass_engine::engine::{Engine, Options};
use windlass_engine::feed::Fed;
use windlass_engine::handle::Handle;

use crate::door::Door;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::news::{News, Telling};
use crate::socket::{self, Served};
use crate::{signals, steer};

/// An engine on its own thread.
pub(crate) struct Host {
    /// The way to it.
    pub(crate) handle: Handle,
    /// What happens.
    pub(crate) news: Receiver<News>,
    /// Where more news can be put.
    pub(crate) to_news: Sender<News>,
    door: Arc<Door>,
}

impl Host {
    /// Lets an engine turn until all its runs are final, paused or waiting for people only. `hosts` is whether it takes
    /// plans of other terminals.
    pub(crate) fn start(engine: Engine, options: Options, hosts: bool) -> Outcome<Self> {
        let failed = |what: &str, error: &std::io::Error| Report::environment(what.to_owned()).system(error);
        let handle = engine.handle();
        let (to_news, news) = mpsc::channel();
        signals::drain(handle.clone(), to_news.clone());
        let door = Arc::new(Door::default());
        let levels = options.owners.as_ref().map(|owners| owners.levels);
        let marks: Arc<str> = options.owners.map(|owners| owners.marks).unwrap_or_default().into();
        let (callers, to) = (Arc::default(), handle.clone());
        let hosting = socket::Hosting { handle: to, door: Arc::clone(&door), hosts, marks, levels, callers };
        let served = options.socket.map(|socket| socket::serve(&socket, hosting)).transpose();
        let served =
            served.map_err(|error| failed("the socket for other terminals could not be made", &error))?;
        let (watched, asked) = (Arc::clone(&door), handle.subscribe());
        let told = handle.subscribe();
        let turning = move || {
            let close = || served.iter().for_each(Served::close);
            engine.run(|state| watched.lets_out(state), close)
        };
        let turning = spawn("engine", turning)?;
        let (ends, ended) = mpsc::sync_channel(1);
        let (answers, answering, to) = (Arc::clone(&door), handle.clone(), to_news.clone());
        let answering = move || {
            // Never held up by who reads what is printed.
            while let Some(fed) = asked.hear() {
                match fed {
                    Fed::Records(batch) => answers.answer(&batch, &answering),
                    Fed::Behind(_) => answers.answer_open(&answering),
                }
            }
            // The feed ends with the engine; its panics end the process.
            ends.send(turning.join().unwrap_or(Ok(()))).unwrap_or_default();
            signals::engine_ended(to);
        };
        spawn("answers", answering)?;
        let telling = Telling::to(to_news.clone());
        let passing = move || {
            let all_told = told.follow(&mut |batch| telling.tell(batch));
            let ended = ended.recv().unwrap_or(Ok(()));
            telling.end(News::Ended(ended.and(all_told)));
        };
        spawn("news", passing)?;
        Ok(Self { handle, news, to_news, door })
    }

    /// Everything that it was started for has reached it: from here on it may end.
    pub(crate) fn open_door(&self) {
        self.door.open();
        // It looks whether it is done when something reaches it.
        self.handle.query(|_| ()).unwrap_or_default();
    }

    /// The questions of this run are asked here.
    pub(crate) fn ask_here(&self, run: RunId) {
        self.door.ask_here(Some(run));
    }

    /// All questions of this run are answered with yes.
    pub(crate) fn say_yes(&self, run: RunId) {
        self.door.answer_all(run, &self.handle);
    }

    /// Nobody can be asked here any more: where only people are left it ends.
    pub(crate) fn ask_nowhere(&self) {
        self.door.ask_here(None);
        self.handle.query(|_| ()).unwrap_or_default();
    }

    /// Asks it for something.
    pub(crate) fn submit(&self, ask: Ask, by: &str) -> Outcome<Answer> {
        let command = Command { id: steer::new_id()?, by: by.into(), ask };
        let gone = |_| Report::new(Exit::Environment, "the engine has ended").into();
        self.handle.submit(command).map_err(gone)
    }

    /// What it means that the engine ended before it had begun: a signal, or a failure.
    pub(crate) fn ended_early(&self) -> Outcome {
        let ended =
            self.news.iter().find_map(|news| if let News::Ended(ended) = news { Some(ended) } else { None });
        match (ended, signals::first()) {
            (Some(Err(error)), _) => Err(engine_failed(&error).into()),
            (Some(Ok(())) | None, Some(signal)) => Ok(signals::exit_after(signal)),
            (Some(Ok(())) | None, None) => {
                let report = Report::environment("the engine was told to end before it had begun");
                Err(report.hint("try again".to_owned()).into())
            }
        }
    }
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Outcome<JoinHandle<T>> {
    let failed = |error: std::io::Error| Report::environment("no thread could be had").system(&error).into();
    thread::Builder::new().name(name.into()).spawn(work).map_err(failed)
}
