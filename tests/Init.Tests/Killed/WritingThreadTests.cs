using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests.Killed;

/// <summary>
/// The sweeps kill at calls of the main thread alone, for those of the runtime's other threads come in another order each time. That is
/// enough because no other thread sends to the kernel, sets an option, starts a program or opens a file to write to it.
/// </summary>
public class WritingThreadTests
{
    private const string Acting = "sendmsg,sendmmsg,sendto,setsockopt,execve,vfork,fork,clone,clone3,openat,unlinkat,renameat,renameat2,mkdirat,ioctl,setns,kill";

    [Theory]
    [InlineData("apply -m REDIRECT --verify off", "true")]
    [InlineData("apply -m TRANSPARENT --verify off", "true")]
    [InlineData("apply -m TPROXY --force-iptables-binary legacy --verify off", "true")]
    [InlineData("apply -m REDIRECT --drop-invalid -k tap0", "true")]
    [InlineData("apply -m TRANSPARENT -q 9999", "\"$0\" -m TPROXY --verify off")]
    [InlineData("verify -m TPROXY", "\"$0\" -m TPROXY -b '*' -i '*' --verify off")]
    [InlineData("diff -m TPROXY", "\"$0\" -m TPROXY -b '*' -i '*' --verify off")]
    [InlineData("cleanup", "\"$0\" -m TPROXY -b '*' -i '*' --verify off")]
    public void Program_WhateverItWrites_ItsMainThreadDoes(string arguments, string prepare)
    {
        string file = Path.GetTempFileName();
        string lists = arguments == "cleanup" ? "" : "-b * -i *";
        (int code, string output, string error) = VerifyScript.Run(
            $"set -e; {prepare}; strace -f -qq -s 80 -o {file} -e trace={Acting} \"$0\" {arguments} {lists}");
        code.ShouldBe(0, error + output);
        var trace = new ThreadTrace(File.ReadLines(file));
        File.Delete(file);
        trace.Threads.ShouldBeGreaterThan(3);
        trace.ByMain.ShouldContain(c => c.StartsWith("vfork(", StringComparison.Ordinal) || c.StartsWith("clone", StringComparison.Ordinal));
        trace.ByOthers.ShouldBeEmpty();
    }

    // As strace prints them: a thread that a thread made sends, and so does a process that it started, which is another program.
    [Fact]
    public void ByOthers_ThreadsAndProcesses_AreToldApart()
    {
        var trace = new ThreadTrace(
        [
            "10 execve(\"meshl4-init\", [\"meshl4-init\"], 0x7f /* 9 vars */) = 0",
            "10 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f} <unfinished ...>",
            "10 <... clone3 resumed> => {parent_tid=[11]}, 88) = 11",
            "11 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f} => {parent_tid=[12]}, 88) = 12",
            "12 openat(AT_FDCWD, \"/proc/self/task/12/comm\", O_RDWR) = 5",
            "12 openat(AT_FDCWD, \"/proc/sys/net/ipv4/ip_forward\", O_WRONLY) = 5",
            "12 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 5",
            "12 sendto(3, \"\", 1, 0, NULL, 0) = 1",
            "12 vfork( <unfinished ...>",
            "13 execve(\"/usr/sbin/nft\", [\"nft\"], 0x7f) = 0",
            "13 sendmsg(3, {msg_name=NULL}, 0) = 1",
            "12 <... vfork resumed>) = 13",
            "10 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [1], 4) = 0",
        ]);
        trace.Threads.ShouldBe(3);
        trace.ByOthers.Select(c => c.Split('(')[0]).ShouldBe(["openat", "sendto", "vfork"]);
        trace.ByMain.Select(c => c.Split('(')[0]).ShouldBe(["execve", "setsockopt"]);
    }
}
