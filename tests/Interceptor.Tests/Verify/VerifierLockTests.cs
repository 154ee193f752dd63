using System.Runtime.Versioning;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

[SupportedOSPlatform("linux")]
public class VerifierLockTests
{
    [Theory]
    [InlineData(1, 62)]
    [InlineData(5, 70)]
    public void Patience_OfAProgram_IsWhatAnotherVerificationMayTake(int probeTimeout, int expected) =>
        VerifierLock.Patience(TimeSpan.FromSeconds(probeTimeout), null).ShouldBe(TimeSpan.FromSeconds(expected));

    [Fact]
    public void Take_HeldAlready_IsNullUntilItIsGivenBack()
    {
        using var pod = new Pod();
        pod.In(() =>
        {
            using (VerifierLock.Take(TimeSpan.Zero).ShouldNotBeNull())
            {
                VerifierLock.Take(TimeSpan.FromMilliseconds(50)).ShouldBeNull();
            }

            // A program that another test starts has the socket too until it is replaced by its own image.
            VerifierLock.Take(TimeSpan.FromSeconds(60)).ShouldNotBeNull().Dispose();
            return 0;
        });
        SpinWait.SpinUntil(() => pod.Exec("nft", "list", "ruleset").Length == 0, TimeSpan.FromSeconds(60)).ShouldBeTrue();
    }

    [Fact]
    public void Take_TwoNetworkNamespaces_DoNotWaitForEachOther()
    {
        using Pod one = new(), other = new();
        using IDisposable first = one.In(() => VerifierLock.Take(TimeSpan.Zero)).ShouldNotBeNull();
        using IDisposable second = other.In(() => VerifierLock.Take(TimeSpan.Zero)).ShouldNotBeNull();
    }

    [Fact]
    public void Table_OwnedByAnother_CannotBeMadeNorRemoved()
    {
        using var pod = new Pod();
        using IDisposable held = pod.In(() => VerifierLock.Take(TimeSpan.Zero)).ShouldNotBeNull();
        pod.In(() => OwnedTable.TryMake(VerifierLock.TableName, out _)).ShouldBe(OwningOutcome.Taken);
        Should.Throw<InvalidOperationException>(() => pod.Exec("nft", "delete", "table", "inet", VerifierLock.TableName));
    }

    [Fact]
    public void TryFile_HeldAlready_IsNullAndNothingIsLeftAfterwards()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        using (VerifierLock.TryFile(folder).ShouldNotBeNull())
        {
            VerifierLock.TryFile(folder).ShouldBeNull();
            File.GetUnixFileMode(Directory.GetFiles(folder).ShouldHaveSingleItem()).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        Directory.GetFiles(folder).ShouldBeEmpty();
        VerifierLock.TryFile(folder).ShouldNotBeNull().Dispose();
        Directory.Delete(folder);
    }

    // As on a root file system that is read-only.
    [Fact]
    public void TryFile_WhereNoneCanBe_LocksNothingAndGoesOn() => VerifierLock.TryFile("/proc/sys").ShouldNotBeNull();
}
