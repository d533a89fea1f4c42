package main

func (s *study) report(f *studyFound) error { return nil }
