namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx convert without room for what it writes: exit code 3, a message that says where, and the disk as it was.</summary>
[TestFixture]
internal sealed class FullDiskTests
{
    // Without the signal that would end the process, a write beyond the limit fails like one on a full disk (EFBIG, not ENOSPC).
    private const string LimitedFiles = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";

    // A mount that nobody else sees, and that goes with the process. Exit code 77: there are no rights to it.
    private const string SmallDisk = """mount -t tmpfs -o size=4m tmpfs "$1" 2>&1 || exit 77; disk="$1"; shift; "$@"; code=$?; ls -A "$disk"; exit $code""";

    [TestCase(1, "config.json", "f32")]                    // 1.9 kB, all of them in a buffer, which cannot be written at the end either
    [TestCase(100, "tokenizer.json", "int8")]              // 215 kB
    [TestCase(4000, "model.safetensors", "f32")]           // 29.4 MB; all other files are complete
    [TestCase(4000, "model.safetensors", "int8")]          // 12.1 MB
    public void A_file_that_cannot_grow_is_named_and_nothing_is_left(int limit, string file, string type)
    {
        string scratch = Folders.Scratch(), target = Path.Combine(scratch, "out");
        MtxRun run = WithLimit(limit, "convert", Model("demo-codegen"), target, "--dtype", type);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.StartWith($"mtx: The checkpoint cannot be written to {target}: {Path.Combine(target, file)} ")
            .And.Contain("becomes larger than its file system or a limit of this process (ulimit -f) allows. Its tensors take"));
        Assert.That(Directory.GetFileSystemEntries(scratch), Is.Empty);
    }

    [Test]
    public void A_checkpoint_that_was_to_be_replaced_stays()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        Dictionary<string, byte[]> before = Contents(copy);
        MtxRun run = WithLimit(8200, "convert", Model("demo-codegen"), copy, "--dtype", "f32", "--max-shard-size", "9MB", "--force");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.Contain("model-00002-of-00004.safetensors becomes larger"), "8.409 MB of at most 8.397; the first shard has 8.391");
        Assert.That(Contents(copy), Is.EqualTo(before));
    }

    [Test]
    public void A_disk_of_4_MB_is_empty_again([Values("f32", "int8")] string type)
    {
        string disk = Folders.Scratch(), target = Path.Combine(disk, "out");
        MtxRun run = MtxProcess.Run("unshare", ["--user", "--map-root-user", "--mount", "bash", "-c", SmallDisk, "bash", disk, .. MtxProcess.Command, "convert",
            Model("demo-codegen"), target, "--dtype", type]);
        if (run.ExitCode == 77 || run.Error.StartsWith("unshare:", StringComparison.Ordinal))
            Assert.Ignore($"No file system can be mounted here: {run.Out}{run.Error}");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.StartWith($"mtx: The checkpoint cannot be written to {target}: ").And.Contain("No space left on device")
            .And.Contain($"{Path.Combine(target, "model.safetensors")} cannot be written: "));
    }

    private static string Model(string name) => Path.Combine(Folders.Repository, "models", name);

    /// <summary>Runs mtx where no file can have more than a number of kibibytes.</summary>
    private static MtxRun WithLimit(int kibibytes, params string[] args) =>
        MtxProcess.Run("bash", ["-c", LimitedFiles, "bash", $"{kibibytes}", .. MtxProcess.Command, .. args]);

    private static Dictionary<string, byte[]> Contents(string directory) =>
        Directory.GetFileSystemEntries(directory).ToDictionary(path => Path.GetFileName(path), path => File.ReadAllBytes(path));
}
