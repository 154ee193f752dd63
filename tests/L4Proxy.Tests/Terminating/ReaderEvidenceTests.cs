using MeshL4.L4Proxy.Terminating.XRpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class ReaderEvidenceTests
{
    private const long Start = 1_000_000;

    [Fact]
    public void SocketThatTakesBytesAfterItWasFullForAWhile_Reads()
    {
        var evidence = new ReaderEvidence();
        evidence.Reads(Start).ShouldBeFalse();
        evidence.Tick(full: true);
        evidence.Tick(full: true);
        evidence.Reads(Start).ShouldBeFalse();
        evidence.Took(Start);
        evidence.Reads(Start).ShouldBeTrue();
    }

    [Fact]
    public void SocketThatTakesBytesAtOnce_ShowsNothing()
    {
        var evidence = new ReaderEvidence();
        evidence.Tick(full: true);
        evidence.Took(Start);
        evidence.Reads(Start).ShouldBeFalse();
    }

    /// <summary>Full for a moment, now and then, is not full for a while.</summary>
    [Fact]
    public void LooksThatFoundItFullLongAgo_DoNotCountForNow()
    {
        var evidence = new ReaderEvidence();
        evidence.Tick(full: true);
        evidence.Took(Start);
        evidence.Tick(full: true);
        evidence.Took(Start + 60_000);
        evidence.Reads(Start + 60_000).ShouldBeFalse();
        evidence.Tick(full: true);
        evidence.Tick(full: false);
        evidence.Tick(full: true);
        evidence.Took(Start + 61_000);
        evidence.Reads(Start + 61_000).ShouldBeFalse();
    }

    /// <summary>One that read once and is stuck since is no reader for ever.</summary>
    [Fact]
    public void WhatWasShown_IsForgottenAfterTheWindow()
    {
        var evidence = new ReaderEvidence();
        evidence.Tick(full: true);
        evidence.Tick(full: true);
        evidence.Took(Start);
        long end = Start + (long)ReaderEvidence.Window.TotalMilliseconds;
        evidence.Reads(end).ShouldBeTrue();
        evidence.Reads(end + 1).ShouldBeFalse();
        evidence.Took(end + 1);
        evidence.Reads(end + 1).ShouldBeFalse();
    }
}
