Feature: Cancel means stop
  After a cancel no token is delivered, and the upstream has been told.

  Background:
    Given an upstream
    And an adapter for the chat API

  @WA-INT-3002 @AH-1004
  Scenario: A stream is cancelled in the middle
    Given the upstream will do "tokens-per-second=100"
    When a task for 2000 tokens is submitted and cancelled after 3 tokens
    Then no token follows the cancel
    And the last event is an end with finish reason cancelled
    And the upstream has seen the client leave
    And all slots are free

  @ADP-30
  Scenario: A task is cancelled before its first chunk
    Given the upstream will do "stall=30;stall-at=head"
    When a task is cancelled while it waits for the upstream
    Then submit says that the task was cancelled
    And the upstream has seen the client leave
    And all slots are free

  @ADP-30
  Scenario: Cancelling what is unknown or over is no error
    When a task for 2 tokens is submitted
    And the task and an unknown task are cancelled
    Then the events are started, 2 tokens, end
