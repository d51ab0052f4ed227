package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/pingcap/tidb/pkg/disttask/framework/handle"
	"github.com/pingcap/tidb/pkg/disttask/framework/proto"
)

// outcome is what the control answers: the task, its end, and the seconds from submit to end.
type outcome struct {
	Task    int64   `json:"task"`
	State   string  `json:"state"`
	Runs    int64   `json:"runs"`
	Seconds float64 `json:"seconds"`
}

// taskOptions are what /run and /submit take beside the key.
type taskOptions struct {
	concurrency int
	scope       string
	taskType    proto.TaskType
	meta        []byte
}

func parseTask(request *http.Request) (taskOptions, error) {
	query := request.URL.Query()
	task := taskOptions{concurrency: 1, scope: query.Get("scope"), taskType: proto.TaskTypeExample, meta: []byte(query.Get("n"))}
	if text := query.Get("type"); text != "" {
		task.taskType = proto.TaskType(text)
	}
	if text := query.Get("concurrency"); text != "" {
		value, err := strconv.Atoi(text)
		if err != nil || value < 1 {
			return task, errors.New("concurrency is a number from 1")
		}
		task.concurrency = value
	}
	if text := query.Get("meta"); text != "" {
		task.meta = []byte(text)
	}
	_, err := parseRequest(task.meta)
	return task, err
}

func answer(response http.ResponseWriter, result outcome, err error) {
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(result)
}

// submit begins one Example task: /submit?key=K&n=N or &meta=M, a key used once, N subtasks in step one or the meta M (see example.go),
// &concurrency=C slots (default 1), &scope=S the target scope (default: none), &type=T another type than Example. /run takes the same and waits for the end.
func submit(response http.ResponseWriter, request *http.Request) {
	options, err := parseTask(request)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	before := numRuns.Load()
	start := time.Now()
	task, err := handle.SubmitTask(request.Context(), request.URL.Query().Get("key"), options.taskType, options.concurrency, options.scope, options.meta)
	if err != nil {
		answer(response, outcome{}, err)
		return
	}
	result := outcome{Task: task.ID, State: string(task.State)}
	if request.URL.Path == "/run" {
		err = handle.WaitTaskDoneOrPaused(context.Background(), task.ID)
		result.State = string(proto.TaskStateSucceed)
		result.Seconds = time.Since(start).Seconds()
		result.Runs = numRuns.Load() - before
	}
	answer(response, result, err)
}

// change serves /pause?key=K, /resume?key=K and /cancel?key=K.
func change(apply func(context.Context, string) error) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		answer(response, outcome{}, apply(request.Context(), request.URL.Query().Get("key")))
	}
}

// serveControl serves the control on a loopback address and returns the one it has.
func serveControl(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		listener.Close()
		return "", &net.AddrError{Err: "not a loopback address", Addr: address}
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/run", submit)
	routes.HandleFunc("/submit", submit)
	routes.HandleFunc("/pause", change(handle.PauseTask))
	routes.HandleFunc("/resume", change(handle.ResumeTask))
	routes.HandleFunc("/cancel", change(handle.CancelTask))
	go func() { _ = http.Serve(listener, routes) }()
	return listener.Addr().String(), nil
}
