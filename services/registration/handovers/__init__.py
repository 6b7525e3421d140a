"""Whoever was given a code to take an account over finds what is offered, and accepts or declines."""
