package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/authn/descopetest"
)

// TestMain lets the test binary be the command, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gatehouse": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Environ()}
			os.Exit(p.run(ctx, os.Args[1:]))
		},
	})
}

// TestScripts tells the stories of testdata/script: the command as a person types
// it. $PROVIDER is the issuer of a stand-in Descope, $PROJECT and $CLIENT_SECRET go
// with it; $APP is the address of something that takes connections, $NOBODY one
// where nobody listens, $LISTEN one that is free.
func TestScripts(t *testing.T) {
	provider, err := descopetest.New(descopetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	descope, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = descope.Close() })
	app := newApp(t, "app")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PROVIDER", descope.Issuer)
			e.Setenv("PROJECT", provider.ProjectID())
			e.Setenv("CLIENT_SECRET", provider.ClientSecret())
			e.Setenv("SECRET", newSecret())
			e.Setenv("APP", app.URL)
			e.Setenv("NOBODY", "http://"+freeAddress(t))
			e.Setenv("LISTEN", freeAddress(t))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": awaitInFile, "exits": exits},
	})
}

func freeAddress(t *testing.T) string { return net.JoinHostPort("127.0.0.1", freePort(t)) }

// awaitInFile is `await FILE TEXT`: it waits until a file that somebody writes
// holds the text.
func awaitInFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(content), args[1]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not hold %q: %s %v", args[0], args[1], content, err)
		}
	}
}

// exits is `exits CODE COMMAND…`: it runs the command, which has to end with that
// exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT]…")
	}
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}
