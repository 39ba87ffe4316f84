//go:build !linux

package pipe

import "os"

// node is a pipe that is being opened. Only Linux can hold on to one without opening it.
type node struct{ path string }

func hold(path string) (node, error) { return node{path: path}, nil }

func (n node) release() {}

// setCapacity does nothing: only Linux knows the size of a pipe.
func setCapacity(*os.File, int) {}
