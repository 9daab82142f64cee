package session

import "crypto/rand"

// A ticket is what the cookie holds where Redis holds the record: which session,
// and the key that its record needs. Its size does not depend on the person.
type ticket struct {
	id  string
	key ticketKey
}

func newTicketKey() ticketKey {
	var key ticketKey
	rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	return key
}

func (k ticket) bytes() []byte { return append(k.key[:len(k.key):len(k.key)], k.id...) }

func parseTicket(plain []byte) (ticket, bool) {
	var k ticket
	if len(plain) <= len(k.key) {
		return ticket{}, false
	}
	copy(k.key[:], plain)
	k.id = string(plain[len(k.key):])
	return k, true
}
