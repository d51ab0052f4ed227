package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/pingcap/tidb/pkg/disttask/framework/proto"
	"github.com/pingcap/tidb/pkg/disttask/framework/scheduler"
	"github.com/pingcap/tidb/pkg/disttask/framework/storage"
	"github.com/pingcap/tidb/pkg/disttask/framework/taskexecutor"
	"github.com/pingcap/tidb/pkg/disttask/framework/taskexecutor/execute"
)

// numRuns counts the subtasks that TiDB's own executor has run in this process.
var numRuns atomic.Int64

// plan is the scheduler's half of the task type: the task's meta is a number N; step one has N subtasks, step two one.
type plan struct{}

func (plan) OnTick(context.Context, *proto.Task) {}

func (plan) OnNextSubtasksBatch(_ context.Context, _ storage.TaskHandle, task *proto.Task, _ []string, step proto.Step) ([][]byte, error) {
	count := 1
	if step == proto.StepOne {
		var err error
		if count, err = strconv.Atoi(strings.TrimSpace(string(task.Meta))); err != nil {
			return nil, fmt.Errorf("the meta of an Example task is the number of its subtasks: %w", err)
		}
	}
	metas := make([][]byte, count)
	for i := range metas {
		metas[i] = fmt.Appendf(nil, `{"i":%d}`, i)
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

// emptyStep runs subtasks that do nothing: what remains is the cost of the framework.
type emptyStep struct{ taskexecutor.EmptyStepExecutor }

func (*emptyStep) RunSubtask(context.Context, *proto.Subtask) error {
	numRuns.Add(1)
	return nil
}

type steps struct{}

func (steps) IsIdempotent(*proto.Subtask) bool { return true }

func (steps) GetStepExecutor(*proto.Task) (execute.StepExecutor, error) { return &emptyStep{}, nil }

func (steps) IsRetryableError(error) bool { return false }

// registerExample makes TiDB's framework schedule and run the task type Example. Before the server starts.
func registerExample() {
	scheduler.RegisterSchedulerFactory(proto.TaskTypeExample,
		func(ctx context.Context, task *proto.Task, param scheduler.Param) scheduler.Scheduler {
			return &exampleScheduler{scheduler.NewBaseScheduler(ctx, task, param)}
		})
	taskexecutor.RegisterTaskType(proto.TaskTypeExample,
		func(ctx context.Context, id string, task *proto.Task, table taskexecutor.TaskTable) taskexecutor.TaskExecutor {
			base := taskexecutor.NewBaseTaskExecutor(ctx, id, task, table)
			base.Extension = steps{}
			return base
		})
}
