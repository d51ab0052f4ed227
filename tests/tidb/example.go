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

// request is the meta of an Example task: a number N, or an object. Step one has N subtasks, step two one.
type request struct {
	N       int `json:"n"`
	SleepMs int `json:"sleep_ms"`
	FailAt  int `json:"fail_at"`
	RetryAt int `json:"retry_at"`
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
	I       int    `json:"i"`
	SleepMs int    `json:"sleep_ms,omitempty"`
	Trouble string `json:"trouble,omitempty"`
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
		wanted = request{N: 1}
	}
	metas := make([][]byte, wanted.N)
	for i := range metas {
		meta := subtaskMeta{I: i, SleepMs: wanted.SleepMs}
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
	failed atomic.Bool
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
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(meta.SleepMs) * time.Millisecond):
		return nil
	}
}

type steps struct{ step *exampleStep }

func (steps) IsIdempotent(*proto.Subtask) bool { return true }

func (s steps) GetStepExecutor(*proto.Task) (execute.StepExecutor, error) { return s.step, nil }

func (steps) IsRetryableError(err error) bool {
	return err != nil && strings.Contains(err.Error(), errRetry.Error())
}

// registerExample makes TiDB's framework schedule and run the task type Example. Before the server starts.
func registerExample() {
	scheduler.RegisterSchedulerFactory(proto.TaskTypeExample,
		func(ctx context.Context, task *proto.Task, param scheduler.Param) scheduler.Scheduler {
			return &exampleScheduler{scheduler.NewBaseScheduler(ctx, task, param)}
		})
	taskexecutor.RegisterTaskType(proto.TaskTypeExample,
		func(ctx context.Context, id string, task *proto.Task, table taskexecutor.TaskTable) taskexecutor.TaskExecutor {
			base := taskexecutor.NewBaseTaskExecutor(ctx, id, task, table)
			base.Extension = steps{&exampleStep{}}
			return base
		})
}
