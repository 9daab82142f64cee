package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What a Gatehouse for the soak has in place of the product's constants.
const (
	paceMost  = 2000 // refreshes a minute
	paceBurst = 60
	paceEvery = 30 * time.Millisecond
	graceFast = 20 * time.Second
	graceReal = 5 * time.Minute
	mostReal  = 60
)

// An edit replaces one line of a source file.
type edit struct{ file, old, new string }

var edits = []edit{
	{"authn/session/pacer.go", "refreshMost  = 60\n", fmt.Sprintf("refreshMost  = %d\n", paceMost)},
	{"authn/session/pacer.go", "refreshBurst = 10\n", fmt.Sprintf("refreshBurst = %d\n", paceBurst)},
	{"authn/session/pacer.go", "refreshEvery = time.Second\n", fmt.Sprintf("refreshEvery = %d\n", paceEvery)},
	{"authn/session/refresh.go", "graceAfterExpiry = 5 * time.Minute\n", fmt.Sprintf("graceAfterExpiry = %d\n", graceFast)},
}

// overlay returns the changed source files, by their names.
func overlay(root string) (map[string]string, error) {
	texts := make(map[string]string)
	for _, e := range edits {
		file := filepath.Join(root, e.file)
		if texts[file] == "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			texts[file] = string(text)
		}
		if strings.Count(texts[file], e.old) != 1 {
			return nil, fmt.Errorf("%s does not hold %q once: e2e/soak/build.go has to follow it", e.file, strings.TrimSpace(e.old))
		}
		texts[file] = strings.Replace(texts[file], e.old, e.new, 1)
	}
	return texts, nil
}

// build makes a Gatehouse with other constants, by go build's -overlay: nothing
// else of it differs from the product.
func (k *soak) build(ctx context.Context) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	texts, err := overlay(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for file, text := range texts {
		replace[file] = filepath.Join(k.dir, filepath.Base(file))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(k.dir, "overlay.json")
	if err := os.WriteFile(overlayFile, list, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(k.dir, "gatehouse")
	args := []string{"build", "-overlay", overlayFile, "-o", binary}
	if k.race {
		args = append(args, "-race")
	}
	command := exec.CommandContext(ctx, "go", append(args, "./cmd/gatehouse")...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(string(bytes.TrimSpace(out))), nil
}
