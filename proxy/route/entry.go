package route

import (
	"errors"
	"strings"
)

// entryHost checks the host of an entry. Of a wildcard it returns what follows the
// first label.
func entryHost(host string) (name string, wildcard bool, err error) {
	if host == "" {
		return "", false, nil
	}
	name = host
	for _, prefix := range []string{"*.", "{tenant}."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok {
			name, wildcard = rest, true
			break
		}
	}
	canonical, err := CanonicalHost(name)
	if err != nil {
		return "", false, err
	}
	bracketed := strings.HasPrefix(name, "[")
	if bracketed && !strings.HasSuffix(name, "]") || !bracketed && strings.Contains(name, ":") {
		return "", false, errors.New("a host has no port here; all routes share that of public_url")
	}
	if wildcard && bracketed {
		return "", false, errors.New("an address has no labels for a wildcard")
	}
	return canonical, wildcard, nil
}

// entryPath checks the path of an entry and takes one trailing slash off.
func entryPath(path string) (string, error) {
	canonical, _, hasQuery, err := CanonicalPath(path)
	switch {
	case err != nil:
		return "", err
	case hasQuery:
		return "", errors.New("a path has no query; routes match by path alone")
	case canonical != path:
		return "", errors.New("not in canonical form; write " + canonical)
	case structured(path):
		return "", errors.New("%2F, // and ; cannot be part of it: every request for it would be ambiguous")
	}
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	return path, nil
}
