package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pingcap/tidb/pkg/disttask/framework/proto"
	"github.com/pingcap/tidb/pkg/disttask/framework/scheduler"
	"github.com/pingcap/tidb/pkg/disttask/framework/storage"
	"github.com/pingcap/tidb/pkg/disttask/framework/taskexecutor"
	"github.com/pingcap/tidb/pkg/disttask/framework/taskexecutor/execute"
)

// numRuns counts the subtasks that TiDB's own executor has run in this process.
var numRuns atomic.Int64

// errRetry is what a subtask with trouble "retry" ends with the first time.
var errRetry = errors.New("this subtask was told to fail once")

// typePlannedOnly is a task type that the scheduler knows and no executor: what a node does with a type that it does not have.
const typePlannedOnly = proto.TaskType("PlannedOnly")

// request is the meta of an Example task: a number N, or an object. Step one has N subtasks, step two one.
type request struct {
	N        int    `json:"n"`
	SleepMs  int    `json:"sleep_ms,omitempty"`
	FailAt   int    `json:"fail_at,omitempty"`
	RetryAt  int    `json:"retry_at,omitempty"`
	LingerMs int    `json:"linger_ms,omitempty"` // a cancelled run goes on for so long
	Rows     int    `json:"rows,omitempty"`      // each subtask says that it did so many rows
	Once     bool   `json:"once,omitempty"`      // subtasks may not run twice
	Edit     bool   `json:"edit,omitempty"`      // each subtask changes its meta when it is done
	Rewrite  bool   `json:"rewrite,omitempty"`   // the plan of step two changes the task's meta; with Edit runs copy its note
	Note     string `json:"note,omitempty"`
}

func parseRequest(meta []byte) (request, error) {
	var r request
	err := json.Unmarshal(meta, &r.N)
	if err != nil {
		err = json.Unmarshal(meta, &r)
	}
	if err != nil {
		return r, fmt.Errorf("the meta of an Example task is the number of its subtasks, or an object with n: %w", err)
	}
	return r, nil
}

// subtaskMeta is what a run needs; all but I is left out for subtasks that do nothing.
type subtaskMeta struct {
	I        int    `json:"i"`
	SleepMs  int    `json:"sleep_ms,omitempty"`
	Trouble  string `json:"trouble,omitempty"`
	LingerMs int    `json:"linger_ms,omitempty"`
	Rows     int    `json:"rows,omitempty"`
	Once     bool   `json:"once,omitempty"`
	Edit     bool   `json:"edit,omitempty"`
	Result   string `json:"result,omitempty"`
}

// plan is the scheduler's half of the task type.
type plan struct{}

func (plan) OnTick(context.Context, *proto.Task) {}

func (plan) OnNextSubtasksBatch(_ context.Context, _ storage.TaskHandle, task *proto.Task, _ []string, step proto.Step) ([][]byte, error) {
	wanted, err := parseRequest(task.Meta)
	if err != nil {
		return nil, err
	}
	if step != proto.StepOne {
		if wanted.Rewrite {
			wanted.Note = "rewritten"
			if task.Meta, err = json.Marshal(wanted); err != nil {
				return nil, err
			}
		}
		wanted = request{N: 1, Edit: wanted.Edit}
	}
	metas := make([][]byte, wanted.N)
	for i := range metas {
		meta := subtaskMeta{I: i, SleepMs: wanted.SleepMs, LingerMs: wanted.LingerMs, Rows: wanted.Rows, Once: wanted.Once, Edit: wanted.Edit}
		switch i + 1 {
		case wanted.FailAt:
			meta.Trouble = "fail"
		case wanted.RetryAt:
			meta.Trouble = "retry"
		}
		if metas[i], err = json.Marshal(meta); err != nil {
			return nil, err
		}
	}
	return metas, nil
}

func (plan) OnDone(context.Context, storage.TaskHandle, *proto.Task) error { return nil }

// GetEligibleInstances leaves all nodes eligible.
func (plan) GetEligibleInstances(context.Context, *proto.Task) ([]string, error) { return nil, nil }

func (plan) IsRetryableErr(error) bool { return true }

func (plan) GetNextStep(task *proto.TaskBase) proto.Step {
	switch task.Step {
	case proto.StepInit:
		return proto.StepOne
	case proto.StepOne:
		return proto.StepTwo
	default:
		return proto.StepDone
	}
}

type exampleScheduler struct{ *scheduler.BaseScheduler }

func (s *exampleScheduler) Init() error {
	s.BaseScheduler.Extension = plan{}
	return s.BaseScheduler.Init()
}

// exampleStep runs subtasks. One that does nothing costs what the framework does.
type exampleStep struct {
	taskexecutor.EmptyStepExecutor
	task   request
	failed *atomic.Bool
	rows   atomic.Int64
}

func (s *exampleStep) RunSubtask(ctx context.Context, subtask *proto.Subtask) error {
	numRuns.Add(1)
	if !bytes.Contains(subtask.Meta, []byte(",")) {
		return nil
	}
	var meta subtaskMeta
	if err := json.Unmarshal(subtask.Meta, &meta); err != nil {
		return err
	}
	switch {
	case meta.Trouble == "fail":
		return errors.New("this subtask was told to fail")
	case meta.Trouble == "retry" && s.failed.CompareAndSwap(false, true):
		return errRetry
	}
	s.rows.Store(int64(meta.Rows))
	select {
	case <-ctx.Done():
		time.Sleep(time.Duration(meta.LingerMs) * time.Millisecond)
		return ctx.Err()
	case <-time.After(time.Duration(meta.SleepMs) * time.Millisecond):
		return nil
	}
}

// RealtimeSummary says what a run has done, in tasks that count at all.
func (s *exampleStep) RealtimeSummary() *execute.SubtaskSummary {
	if s.task.Rows == 0 {
		return nil
	}
	return &execute.SubtaskSummary{RowCount: s.rows.Load()}
}

// OnFinished leaves a result in the subtask's meta, in tasks that want that.
func (s *exampleStep) OnFinished(_ context.Context, subtask *proto.Subtask) error {
	if !s.task.Edit {
		return nil
	}
	var meta subtaskMeta
	if err := json.Unmarshal(subtask.Meta, &meta); err != nil {
		return err
	}
	meta.Result = "done " + s.task.Note
	var err error
	subtask.Meta, err = json.Marshal(meta)
	return err
}

type steps struct{ failed *atomic.Bool }

func (steps) IsIdempotent(subtask *proto.Subtask) bool {
	return !bytes.Contains(subtask.Meta, []byte(`"once":true`))
}

func (s steps) GetStepExecutor(task *proto.Task) (execute.StepExecutor, error) {
	wanted, err := parseRequest(task.Meta)
	return &exampleStep{task: wanted, failed: s.failed}, err
}

func (steps) IsRetryableError(err error) bool {
	return err != nil && strings.Contains(err.Error(), errRetry.Error())
}

// registerExample makes TiDB's framework schedule and run the task type Example, and schedule typePlannedOnly. Before the server starts.
func registerExample() {
	for _, taskType := range []proto.TaskType{proto.TaskTypeExample, typePlannedOnly} {
		scheduler.RegisterSchedulerFactory(taskType,
			func(ctx context.Context, task *proto.Task, param scheduler.Param) scheduler.Scheduler {
				return &exampleScheduler{scheduler.NewBaseScheduler(ctx, task, param)}
			})
	}
	taskexecutor.RegisterTaskType(proto.TaskTypeExample,
		func(ctx context.Context, id string, task *proto.Task, table taskexecutor.TaskTable) taskexecutor.TaskExecutor {
			base := taskexecutor.NewBaseTaskExecutor(ctx, id, task, table)
			base.Extension = steps{&atomic.Bool{}}
			return base
		})
}
