package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A StateFile keeps, over a restart, what the cookie store has in memory alone:
// the newest records of sessions whose cookie lags, and the revocations. It is
// sealed, and readable by its owner only.
type StateFile struct {
	path   string
	sealer func() *Sealer
	codec  codec
	mu     sync.Mutex // one write at a time
}

// NewStateFile returns the state file at the path.
func NewStateFile(path string, sealer func() *Sealer) *StateFile {
	return &StateFile{path: path, sealer: sealer}
}

// state is the file's content.
type state struct {
	Records [][]byte            `json:"records,omitempty"` // encoded
	Revoked map[mark]revocation `json:"revoked,omitempty"`
}

// Load takes up what the file holds; call it before the first request. A file
// that is not there is a first start.
//
// A file that is there and does not open (a torn disk, other secrets) is put
// aside, and every session from before this start has to be confirmed by the
// provider before it counts again: the revocations in it are lost, and those
// whose refresh tokens were revoked with them fail there. To start without would
// bring signed-out sessions back; not to start would lock everybody out. Load
// fails only where the file cannot be read at all, which the operator can mend.
func (t *Table) Load(f *StateFile) error {
	sealed, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(f.path)) // a folder that is not there would only show at the first write
		if err == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("session.state_file: %w", err)
	}
	kept, err := f.open(sealed)
	if err != nil {
		aside := f.path + ".unreadable"
		_ = os.Rename(f.path, aside)                       // only for who wants to look; the next write replaces it anyway
		t.distrust = time.Now().Truncate(time.Millisecond) // the resolution of a record
		t.log.Error("the state file does not open with the session's secrets; it was put aside, and sessions from before this start must be confirmed by the provider",
			"file", f.path, "aside", aside, "error", err.Error())
		return nil
	}
	t.restore(kept, &f.codec)
	return nil
}

func (f *StateFile) open(sealed []byte) (*state, error) {
	plain, err := f.sealer().Open(string(sealed))
	if err != nil {
		return nil, err
	}
	var kept state
	if err := json.Unmarshal(plain, &kept); err != nil {
		return nil, err
	}
	return &kept, nil
}

func (t *Table) restore(kept *state, c *codec) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for m, rv := range kept.Revoked {
		if len(m) > 1 {
			t.revoked.add(m, rv)
		}
	}
	t.revoked.sweep(t.oldest())
	for _, one := range kept.Records {
		rec, err := c.decode(one)
		if err != nil || !time.Now().Before(t.endOf(rec)) {
			continue
		}
		s := t.admit(rec) // lagging until a cookie shows its version, and so stays
		t.heard(s, rec)
	}
}

// Store writes the file if anything in it has changed, whole or not at all.
func (t *Table) Store(f *StateFile) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !t.changed.Swap(false) {
		return nil
	}
	if err := f.write(t.state(&f.codec)); err != nil {
		t.changed.Store(true)
		return fmt.Errorf("session.state_file: %w", err)
	}
	return nil
}

func (t *Table) state(c *codec) *state {
	kept := &state{Revoked: make(map[mark]revocation)}
	t.mu.Lock()
	for m, rv := range t.revoked {
		kept.Revoked[m] = rv
	}
	t.mu.Unlock()
	for _, s := range t.sessions() {
		if s.Ended() != "" || !s.lagging() {
			continue
		}
		rec := *s.Record()
		rec.ActiveAt = time.UnixMilli(s.active.Load())
		if one, err := c.encode(&rec); err == nil {
			kept.Records = append(kept.Records, one)
		}
	}
	return kept
}

func (f *StateFile) write(kept *state) error {
	plain, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	sealed, err := f.sealer().Seal(plain)
	if err != nil {
		return err
	}
	// CreateTemp makes it 0600, and in the same folder, so that the rename is
	// atomic.
	tmp, err := os.CreateTemp(filepath.Dir(f.path), ".gatehouse-state-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails where the rename succeeded
	_, err = tmp.WriteString(sealed)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path)
}

// Keep writes the file at most every so often, until ctx ends. The last write, at
// shutdown, is the caller's: Store, after the last request.
func (t *Table) Keep(ctx context.Context, f *StateFile, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := t.Store(f); err != nil {
			t.log.Error("the state file could not be written; what it should hold is in memory", "error", err.Error())
		}
	}
}
