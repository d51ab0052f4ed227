// tidb runs one real TiDB in this process, on its embedded store: what the tests of disttask use as a TiDB server.
// It listens on a loopback port, says "ready PORT" on standard output when it accepts connections, and ends on SIGTERM or SIGINT.
// With --dxf it also runs TiDB's own framework for a task type that does nothing, as the reference of tests/bench/tidb.sh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/pingcap/tidb/pkg/config"
	"github.com/pingcap/tidb/pkg/ddl"
	"github.com/pingcap/tidb/pkg/executor"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/resourcemanager"
	"github.com/pingcap/tidb/pkg/server"
	"github.com/pingcap/tidb/pkg/session"
	kvstore "github.com/pingcap/tidb/pkg/store"
	"github.com/pingcap/tidb/pkg/store/mockstore"
	"github.com/pingcap/tidb/pkg/util/logutil"
)

type options struct {
	port    uint
	data    string
	socket  string
	dxf     bool
	control string
	slots   int
}

func parseOptions() (options, error) {
	var o options
	flag.UintVar(&o.port, "port", 0, "loopback port of the MySQL protocol; 0: a free one")
	flag.StringVar(&o.data, "data", "", "folder of the data and the log; made when missing")
	flag.StringVar(&o.socket, "socket", "", "unix socket beside the port; empty: none")
	flag.BoolVar(&o.dxf, "dxf", false, "run TiDB's own scheduler and executor for the task type Example, submitted through --control")
	flag.StringVar(&o.control, "control", "127.0.0.1:0", "with --dxf: loopback address of the control, see control.go")
	flag.IntVar(&o.slots, "slots", 0, "with --dxf: slots that this node says it has; 0: one a core")
	flag.Parse()
	if flag.NArg() != 0 {
		return o, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.data == "" {
		return o, errors.New("--data names the folder of the data: it must be given")
	}
	if o.port > 65535 {
		return o, fmt.Errorf("--port %d is not a port", o.port)
	}
	return o, nil
}

// freePort asks the kernel for a port that nobody uses. TiDB itself cannot listen on port 0.
func freePort() (uint, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return uint(listener.Addr().(*net.TCPAddr).Port), nil
}

// nameVersion puts the version of the module into what `select version()` says; the source has a placeholder there.
func nameVersion() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, dependency := range info.Deps {
		if dependency.Path == "github.com/pingcap/tidb" {
			mysql.TiDBReleaseVersion = "v8.5.0-" + strings.TrimPrefix(dependency.Version, "v1.1.0-beta.0.")
			mysql.ServerVersion = "8.0.11-TiDB-" + mysql.TiDBReleaseVersion
		}
	}
}

func configure(o options) *config.Config {
	cfg := config.GetGlobalConfig()
	cfg.Store = "unistore"
	cfg.Path = filepath.Join(o.data, "store")
	cfg.TempDir = filepath.Join(o.data, "temp")
	cfg.TempStoragePath = filepath.Join(o.data, "spill")
	cfg.Host, cfg.AdvertiseAddress, cfg.Port, cfg.Socket = "127.0.0.1", "127.0.0.1", o.port, o.socket
	cfg.Status.ReportStatus, cfg.Status.StatusHost = false, "127.0.0.1"
	cfg.Log.Level = "warn"
	cfg.Log.File.Filename = filepath.Join(o.data, "log")
	cfg.Log.SlowQueryFile = filepath.Join(o.data, "slow.log")
	config.StoreGlobalConfig(cfg)
	return cfg
}

func run(o options) error {
	if err := os.MkdirAll(o.data, 0o755); err != nil {
		return err
	}
	if o.port == 0 {
		port, err := freePort()
		if err != nil {
			return err
		}
		o.port = port
	}
	if o.slots > 0 {
		// TiDB takes the number of its slots from here.
		runtime.GOMAXPROCS(o.slots)
	}
	nameVersion()
	cfg := configure(o)
	if err := logutil.InitLogger(cfg.Log.ToLogConfig()); err != nil {
		return err
	}
	if err := kvstore.Register("unistore", mockstore.EmbedUnistoreDriver{}); err != nil {
		return err
	}
	if o.dxf {
		registerExample()
	}

	executor.Start()
	resourcemanager.InstanceResourceManager.Start()
	store, err := kvstore.New("unistore://" + cfg.Path)
	if err != nil {
		return fmt.Errorf("open the store in %s: %w", cfg.Path, err)
	}
	if err := ddl.StartOwnerManager(context.Background(), store); err != nil {
		return fmt.Errorf("start the owner manager: %w", err)
	}
	domain, err := session.BootstrapSession(store)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	tidb, err := server.NewServer(cfg, server.NewTiDBDriver(store))
	if err != nil {
		return fmt.Errorf("listen on port %d: %w", o.port, err)
	}
	tidb.SetDomain(domain)
	domain.InfoSyncer().SetSessionManager(tidb)
	if o.dxf {
		address, err := serveControl(o.control)
		if err != nil {
			return fmt.Errorf("listen for the control on %s: %w", o.control, err)
		}
		fmt.Println("control", address)
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	stopped := make(chan struct{})
	go func() {
		<-stop
		// Whatever hangs in the shutdown of so large a server must not leave a process behind: the data is a test's.
		time.AfterFunc(20*time.Second, func() { os.Exit(0) })
		tidb.Close()
		domain.StopAutoAnalyze()
		tidb.DrainClients(time.Second, time.Second)
		tidb.KillSysProcesses()
		domain.Close()
		ddl.CloseOwnerManager()
		store.Close()
		close(stopped)
	}()
	fmt.Println("ready", o.port)
	if err := tidb.Run(domain); err != nil {
		return err
	}
	<-stopped
	return nil
}

func main() {
	o, err := parseOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tidb:", err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "tidb:", err)
		os.Exit(1)
	}
}
