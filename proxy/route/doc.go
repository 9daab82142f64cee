// Package route turns what a client sent into a canonical host and a canonical raw
// path, and finds the route that they belong to.
//
// The one path that [CanonicalPath] returns is matched, decided on and forwarded,
// so policy and upstream cannot see two different ones. Still an upstream may read
// that path in its own way: %2F as a slash, two slashes as one, "x;y" as "x", "A"
// as "a". Where another reading falls in another route, [Table.Lookup] refuses the
// request instead of guessing which reading the upstream has.
//
// The package is pure: strings in, strings out. The query takes no part in any of
// this, and nothing is taken from a header but the host.
package route
