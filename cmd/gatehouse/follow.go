package main

import (
	"context"
	"crypto/sha256"
	"os"
	"slices"
	"time"

	"gatehouse/config"
)

const (
	// lookEvery is how often the files of the configuration are looked at. A
	// change counts once two looks saw the same, so that no half-written file is
	// read, and is taken up within three.
	lookEvery = 500 * time.Millisecond
	// retryEvery is how often a configuration that was rejected is tried again: a
	// file that it names may have come meanwhile, a provider may answer again.
	retryEvery = 2 * time.Second
	// surelyOld is the age from which on a file's time tells its changes: below
	// it, two writes can have the same one.
	surelyOld = 5 * time.Second
)

// A follower notices that the configuration changed: its file, and every file
// that it names. It looks instead of asking the kernel to be told (inotify): a
// dozen files twice a second cost nothing to speak of, and what is swapped by a
// symlink above them, as Kubernetes does, bind-mounted or on NFS is seen the same.
type follower struct {
	file   string
	env    []string
	hangup <-chan os.Signal // SIGHUP: read again whether anything changed or not

	files []string             // what is looked at
	known map[string]fileState // by name, as of the last look
	taken [sha256.Size]byte    // what they held when they were last read
	told  string               // the rejection that was told last, "" after a good one
	tried time.Time            // the last attempt
}

// fileState is a file as it was seen.
type fileState struct {
	info os.FileInfo // nil: it cannot be read
	sum  [sha256.Size]byte
}

func newFollower(file string, env []string, hangup <-chan os.Signal) *follower {
	return &follower{file: file, env: env, hangup: hangup, files: []string{file}, known: map[string]fileState{}}
}

// load reads the configuration. keep are more files to look at. Where it names
// other files than the last one it is read once more, after a look at them, so
// that no change between look and reading is lost.
func (f *follower) load(keep []string) (*config.Config, error) {
	for {
		f.taken = f.look()
		c, err := config.Load(f.file, f.env)
		if err != nil {
			return nil, err
		}
		files := append(slices.Clone(keep), c.Files()...)
		slices.Sort(files)
		files = slices.Compact(files)
		if slices.Equal(files, f.files) {
			return c, nil
		}
		f.files = files
	}
}

// look returns what all files hold now, as a digest.
func (f *follower) look() (sum [sha256.Size]byte) {
	all := sha256.New()
	known := make(map[string]fileState, len(f.files))
	for _, name := range f.files {
		s := see(name, f.known[name])
		known[name] = s
		all.Write([]byte(name))
		all.Write(s.sum[:])
	}
	f.known = known
	all.Sum(sum[:0])
	return sum
}

// see looks at one file. It is read only if it may have changed since.
func see(name string, before fileState) fileState {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return fileState{}
	}
	if b := before.info; b != nil && os.SameFile(b, info) && b.Size() == info.Size() && b.ModTime().Equal(info.ModTime()) &&
		time.Since(info.ModTime()) > surelyOld {
		return before
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return fileState{}
	}
	return fileState{info: info, sum: sha256.Sum256(content)}
}

// An attempt is a configuration that is being taken up, which a provider that does
// not answer can draw out. One that changes meanwhile does not wait for it.
type attempt struct {
	stop context.CancelFunc
	done chan error // nil: there is none
}

// followConfig takes up what changes, until ctx ends.
func (in *instance) followConfig(ctx context.Context, f *follower) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := f.taken
	var under attempt
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-under.done:
			under.stop()
			under = attempt{}
			in.tell(f, err)
		case <-f.hangup:
			f.told = ""
			under = in.takeUp(ctx, f, under)
		case <-tick.C:
			now := f.look()
			settled := now == last
			last = now
			switch {
			case settled && now != f.taken, f.told != "" && under.done == nil && time.Since(f.tried) >= retryEvery:
				under = in.takeUp(ctx, f, under)
			}
		}
	}
}

// takeUp reads the configuration and begins to take it up, in place of an attempt
// that is under way.
func (in *instance) takeUp(ctx context.Context, f *follower, under attempt) attempt {
	if under.done != nil {
		under.stop()
		if err := <-under.done; err == nil {
			in.tell(f, nil)
		}
	}
	f.tried = time.Now()
	next, err := f.load(in.config().Files())
	if err != nil {
		in.tell(f, err)
		return attempt{}
	}
	ctx, stop := context.WithCancel(ctx)
	begun := attempt{stop, make(chan error, 1)}
	go func() { begun.done <- in.reload(ctx, next) }()
	return begun
}

// tell says what came of an attempt. A rejection is told once, however often it is
// tried again.
func (in *instance) tell(f *follower, err error) {
	if err == nil {
		f.told = ""
		in.reloaded(nil)
		return
	}
	if text := err.Error(); text != f.told {
		f.told = text
		in.reloaded(err)
	}
}
