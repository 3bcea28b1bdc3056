//! What each kind of event belongs to, and what it is called on the wire. Never: a field that only some events have.

use crate::event::Event;
use crate::id::{RunId, TaskId};

impl Event {
    /// The run it belongs to, unless it belongs to the home.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::EngineStarted { .. }
            | Self::ClockJumped { .. }
            | Self::JournalRepaired { .. }
            | Self::BreakerChanged { .. }
            | Self::ConcurrencyChanged { .. } => None,
            Self::RunCreated { run, .. }
            | Self::PlanRevised { run, .. }
            | Self::PauseRequested { run, .. }
            | Self::RunPaused { run, .. }
            | Self::RunResumed { run, .. }
            | Self::RunFinished { run, .. }
            | Self::RunReopened { run, .. }
            | Self::BudgetReached { run, .. }
            | Self::PlanNested { run, .. }
            | Self::TaskExpanded { run, .. }
            | Self::ResultSelected { run, .. }
            | Self::AgentNamed { run, .. }
            | Self::AttemptStarted { run, .. }
            | Self::WorkspaceRequested { run, .. }
            | Self::WorkspaceReady { run, .. }
            | Self::StopRequested { run, .. }
            | Self::AttemptFinished { run, .. }
            | Self::AttemptLost { run, .. }
            | Self::AttemptReaped { run, .. }
            | Self::ExtractsRecorded { run, .. }
            | Self::WorkCommitted { run, .. }
            | Self::ResultIgnored { run, .. }
            | Self::MergeRequested { run, .. }
            | Self::MergePrepared { run, .. }
            | Self::MergeStarted { run, .. }
            | Self::MergeFinished { run, .. }
            | Self::RetryScheduled { run, .. }
            | Self::TaskParked { run, .. }
            | Self::TimerFired { run, .. }
            | Self::TaskBlocked { run, .. }
            | Self::TopicEmitted { run, .. }
            | Self::WaitSatisfied { run, .. }
            | Self::TaskUnblocked { run, .. }
            | Self::TaskSucceeded { run, .. }
            | Self::TaskSkipped { run, .. }
            | Self::TaskUnskipped { run, .. }
            | Self::TaskDead { run, .. }
            | Self::TaskRequeued { run, .. }
            | Self::DeadLetterDropped { run, .. }
            | Self::CancelRequested { run, .. }
            | Self::TaskCancelled { run, .. }
            | Self::ApprovalRequested { run, .. }
            | Self::ApprovalGiven { run, .. } => Some(*run),
        }
    }

    /// The task it belongs to.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::PlanNested { task, .. }
            | Self::TaskExpanded { task, .. }
            | Self::ResultSelected { task, .. }
            | Self::AgentNamed { task, .. }
            | Self::AttemptStarted { task, .. }
            | Self::WorkspaceRequested { task, .. }
            | Self::WorkspaceReady { task, .. }
            | Self::StopRequested { task, .. }
            | Self::AttemptFinished { task, .. }
            | Self::AttemptLost { task, .. }
            | Self::AttemptReaped { task, .. }
            | Self::ExtractsRecorded { task, .. }
            | Self::WorkCommitted { task, .. }
            | Self::ResultIgnored { task, .. }
            | Self::MergeRequested { task, .. }
            | Self::MergePrepared { task, .. }
            | Self::MergeStarted { task, .. }
            | Self::MergeFinished { task, .. }
            | Self::RetryScheduled { task, .. }
            | Self::TaskParked { task, .. }
            | Self::TimerFired { task, .. }
            | Self::TaskBlocked { task, .. }
            | Self::WaitSatisfied { task, .. }
            | Self::TaskUnblocked { task, .. }
            | Self::TaskSucceeded { task, .. }
            | Self::TaskSkipped { task, .. }
            | Self::TaskUnskipped { task, .. }
            | Self::TaskDead { task, .. }
            | Self::TaskRequeued { task, .. }
            | Self::DeadLetterDropped { task, .. }
            | Self::TaskCancelled { task, .. }
            | Self::ApprovalRequested { task, .. }
            | Self::ApprovalGiven { task, .. } => Some(task),
            Self::CancelRequested { task, .. }
            | Self::BudgetReached { task, .. }
            | Self::TopicEmitted { task, .. } => task.as_ref(),
            Self::EngineStarted { .. }
            | Self::ClockJumped { .. }
            | Self::JournalRepaired { .. }
            | Self::BreakerChanged { .. }
            | Self::ConcurrencyChanged { .. }
            | Self::RunCreated { .. }
            | Self::PlanRevised { .. }
            | Self::PauseRequested { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunFinished { .. }
            | Self::RunReopened { .. } => None,
        }
    }

    /// The number of the attempt it belongs to.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::PlanNested { attempt, .. }
            | Self::AgentNamed { attempt, .. }
            | Self::AttemptStarted { attempt, .. }
            | Self::WorkspaceRequested { attempt, .. }
            | Self::WorkspaceReady { attempt, .. }
            | Self::StopRequested { attempt, .. }
            | Self::AttemptFinished { attempt, .. }
            | Self::AttemptLost { attempt, .. }
            | Self::AttemptReaped { attempt, .. }
            | Self::ExtractsRecorded { attempt, .. }
            | Self::WorkCommitted { attempt, .. }
            | Self::ResultIgnored { attempt, .. }
            | Self::MergeRequested { attempt, .. }
            | Self::MergePrepared { attempt, .. }
            | Self::MergeStarted { attempt, .. }
            | Self::MergeFinished { attempt, .. }
            | Self::RetryScheduled { attempt, .. }
            | Self::TaskParked { attempt, .. } => Some(*attempt),
            Self::TaskSucceeded { attempt, .. } | Self::TaskDead { attempt, .. } => *attempt,
            Self::EngineStarted { .. }
            | Self::ClockJumped { .. }
            | Self::JournalRepaired { .. }
            | Self::BreakerChanged { .. }
            | Self::ConcurrencyChanged { .. }
            | Self::RunCreated { .. }
            | Self::PlanRevised { .. }
            | Self::PauseRequested { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunFinished { .. }
            | Self::RunReopened { .. }
            | Self::BudgetReached { .. }
            | Self::TaskExpanded { .. }
            | Self::ResultSelected { .. }
            | Self::TimerFired { .. }
            | Self::TaskBlocked { .. }
            | Self::TopicEmitted { .. }
            | Self::WaitSatisfied { .. }
            | Self::TaskUnblocked { .. }
            | Self::TaskSkipped { .. }
            | Self::TaskUnskipped { .. }
            | Self::TaskRequeued { .. }
            | Self::DeadLetterDropped { .. }
            | Self::CancelRequested { .. }
            | Self::TaskCancelled { .. }
            | Self::ApprovalRequested { .. }
            | Self::ApprovalGiven { .. } => None,
        }
    }

    /// Its name on the wire.
    #[rustfmt::skip]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EngineStarted { .. } => "engine_started",
            Self::ClockJumped { .. } => "clock_jumped",
            Self::JournalRepaired { .. } => "journal_repaired",
            Self::RunCreated { .. } => "run_created",
            Self::PlanRevised { .. } => "plan_revised",
            Self::PauseRequested { .. } => "pause_requested",
            Self::RunPaused { .. } => "run_paused",
            Self::RunResumed { .. } => "run_resumed",
            Self::RunFinished { .. } => "run_finished",
            Self::RunReopened { .. } => "run_reopened",
            Self::BudgetReached { .. } => "budget_reached",
            Self::PlanNested { .. } => "plan_nested",
            Self::TaskExpanded { .. } => "task_expanded",
            Self::ResultSelected { .. } => "result_selected",
            Self::BreakerChanged { .. } => "breaker_changed",
            Self::ConcurrencyChanged { .. } => "concurrency_changed",
            Self::AgentNamed { .. } => "agent_named",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::WorkspaceRequested { .. } => "workspace_requested",
            Self::WorkspaceReady { .. } => "workspace_ready",
            Self::StopRequested { .. } => "stop_requested",
            Self::AttemptFinished { .. } => "attempt_finished",
            Self::AttemptLost { .. } => "attempt_lost",
            Self::AttemptReaped { .. } => "attempt_reaped",
            Self::ExtractsRecorded { .. } => "extracts_recorded",
            Self::WorkCommitted { .. } => "work_committed",
            Self::ResultIgnored { .. } => "result_ignored",
            Self::MergeRequested { .. } => "merge_requested",
            Self::MergePrepared { .. } => "merge_prepared",
            Self::MergeStarted { .. } => "merge_started",
            Self::MergeFinished { .. } => "merge_finished",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::TaskParked { .. } => "task_parked",
            Self::TimerFired { .. } => "timer_fired",
            Self::TaskBlocked { .. } => "task_blocked",
            Self::TopicEmitted { .. } => "topic_emitted",
            Self::WaitSatisfied { .. } => "wait_satisfied",
            Self::TaskUnblocked { .. } => "task_unblocked",
            Self::TaskSucceeded { .. } => "task_succeeded",
            Self::TaskSkipped { .. } => "task_skipped",
            Self::TaskUnskipped { .. } => "task_unskipped",
            Self::TaskDead { .. } => "task_dead",
            Self::TaskRequeued { .. } => "task_requeued",
            Self::DeadLetterDropped { .. } => "dead_letter_dropped",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::TaskCancelled { .. } => "task_cancelled",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::ApprovalGiven { .. } => "approval_given",
        }
    }

    /// The version of its fields. A journal with a newer one is refused.
    pub const fn version(&self) -> u32 {
        1
    }
}
