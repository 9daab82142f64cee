// Package authz answers one question: may this person use this route?
//
// An [Identity] says who asks, an [Access] says who may, and [Access.Decide]
// brings the two together. [Access.Explain] walks the same rules with the same
// evaluator and keeps what it saw, so an explanation cannot tell another story
// than the decision. [Needs] says which parts of an identity a policy can look
// at, so that a session may leave out the rest.
//
// The package is pure. It knows no HTTP, does no I/O and reads no clock: whether
// a session has expired or a token is genuine is settled before an Identity
// exists. Everything that it does not know allows nothing: the zero Access, the
// zero Rule, an unknown Mode and a field without values all deny.
package authz
