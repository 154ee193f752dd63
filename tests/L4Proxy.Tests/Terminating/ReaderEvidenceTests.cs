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
        evidence.TickFull(0, 1, Start);
        evidence.TickFull(0, 1, Start);
        evidence.Reads(Start).ShouldBeFalse();
        evidence.Took(Start);
        evidence.Reads(Start).ShouldBeTrue();
    }

    [Fact]
    public void SocketThatTakesBytesAtOnce_ShowsNothing()
    {
        var evidence = new ReaderEvidence();
        evidence.TickFull(0, 1, Start);
        evidence.Took(Start);
        evidence.Reads(Start).ShouldBeFalse();
    }

    /// <summary>Full for a moment, now and then, is not full for a while.</summary>
    [Fact]
    public void LooksThatFoundItFullLongAgo_DoNotCountForNow()
    {
        var evidence = new ReaderEvidence();
        evidence.TickFull(0, 1, Start);
        evidence.Took(Start);
        evidence.TickFull(0, 1, Start);
        evidence.Took(Start + 60_000);
        evidence.Reads(Start + 60_000).ShouldBeFalse();
        evidence.TickFull(0, 1, Start);
        evidence.TickWritable();
        evidence.TickFull(0, 1, Start);
        evidence.Took(Start + 61_000);
        evidence.Reads(Start + 61_000).ShouldBeFalse();
    }

    /// <summary>The socket takes none, and what it had gets less: its peer takes it.</summary>
    [Fact]
    public void FullSocketWhoseBytesAreTaken_MakesProgressAndReads()
    {
        var evidence = new ReaderEvidence();
        evidence.TickFull(1000, 10, Start).ShouldBeFalse();
        evidence.TickFull(1005, 10, Start).ShouldBeFalse();
        evidence.TickFull(1014, 10, Start).ShouldBeFalse();
        evidence.Reads(Start).ShouldBeFalse();
        evidence.TickFull(1015, 10, Start).ShouldBeTrue();
        evidence.Reads(Start).ShouldBeTrue();
        evidence.TickFull(1024, 10, Start).ShouldBeFalse();
        evidence.TickFull(1025, 10, Start).ShouldBeTrue();
    }

    /// <summary>What the first look finds was taken before; what goes between it and the next the two kernels may have moved.</summary>
    [Fact]
    public void FirstLooksAtAFullSocket_DoNotShowThatItsPeerReads()
    {
        var evidence = new ReaderEvidence();
        evidence.TickFull(1_000_000, 1, Start).ShouldBeFalse();
        evidence.TickFull(2_000_000, 1, Start).ShouldBeTrue();
        evidence.TickFull(2_000_000, 1, Start).ShouldBeFalse();
        evidence.Reads(Start).ShouldBeFalse();
        evidence.TickWritable();
        evidence.TickFull(3_000_000, 1, Start).ShouldBeFalse();
    }

    /// <summary>One that read once and is stuck since is no reader for ever.</summary>
    [Fact]
    public void WhatWasShown_IsForgottenAfterTheWindow()
    {
        var evidence = new ReaderEvidence();
        evidence.TickFull(0, 1, Start);
        evidence.TickFull(0, 1, Start);
        evidence.Took(Start);
        long end = Start + (long)ReaderEvidence.Window.TotalMilliseconds;
        evidence.Reads(end).ShouldBeTrue();
        evidence.Reads(end + 1).ShouldBeFalse();
        evidence.Took(end + 1);
        evidence.Reads(end + 1).ShouldBeFalse();
    }
}
