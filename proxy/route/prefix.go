package route

import "strings"

// Within reports whether the path is the prefix or lies below it, on a segment
// boundary: /gradio/adminx and /gradio/admin. are not within /gradio/admin
// (GHSA-gx7w-56w6-g48x). Everything is within "/".
func Within(path, prefix string) bool {
	if prefix == "/" {
		return strings.HasPrefix(path, "/")
	}
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// StripPrefix takes a route's prefix off a canonical raw path. Not a byte of the
// rest changes: "/p//x" without "/p" is "//x", which is a path still and must be
// sent as one. The bare prefix leaves "/", the prefix "/" takes nothing off, and a
// path outside of the prefix stays as it is.
func StripPrefix(path, prefix string) string {
	if prefix == "/" || !Within(path, prefix) {
		return path
	}
	if path == prefix {
		return "/"
	}
	return path[len(prefix):]
}
