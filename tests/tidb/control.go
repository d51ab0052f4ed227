package main

import (
	"context"
	"encoding/json"
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

// submit runs one Example task to its end: /run?key=K&n=N&concurrency=C, a key used once, N subtasks in step one, C slots (default 1).
func submit(response http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	concurrency := 1
	if text := query.Get("concurrency"); text != "" {
		value, err := strconv.Atoi(text)
		if err != nil || value < 1 {
			http.Error(response, "concurrency is a number from 1", http.StatusBadRequest)
			return
		}
		concurrency = value
	}
	if _, err := strconv.Atoi(query.Get("n")); err != nil {
		http.Error(response, "n is the number of subtasks", http.StatusBadRequest)
		return
	}
	before := numRuns.Load()
	start := time.Now()
	task, err := handle.SubmitTask(request.Context(), query.Get("key"), proto.TaskTypeExample, concurrency, "", []byte(query.Get("n")))
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	result := outcome{Task: task.ID, State: string(proto.TaskStateSucceed)}
	if err := handle.WaitTaskDoneOrPaused(context.Background(), task.ID); err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	result.Seconds = time.Since(start).Seconds()
	result.Runs = numRuns.Load() - before
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(result)
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
	go func() { _ = http.Serve(listener, routes) }()
	return listener.Addr().String(), nil
}
