// Package descopetest is a stand-in for Descope: an OpenID provider in one
// process and in memory, with a sign-in page that has a button a person. Tests
// sign in against it without a browser ([Provider.Authorize]), change roles under
// a living session, and make it fail in the ways that the network and Descope
// know ([Provider.Fail], [Provider.Hold]). `gatehouse demo` serves it too.
//
// The protocol is that of github.com/zitadel/oidc, somebody else's and
// certified, so that Gatehouse is not tested against its own reading of
// OpenID Connect. In front of it stands what Descope does its own way: the
// layout of the endpoints, the shape of its tokens, tenants, access keys,
// error bodies.
//
// It is no identity provider. It asks nobody for a password, accepts any
// redirect URI unless told otherwise, and forgets everything when it stops.
// Do not let others reach its address.
package descopetest
