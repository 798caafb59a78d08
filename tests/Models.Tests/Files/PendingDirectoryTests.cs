using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace ManagedTransformers.Models.Tests;

/// <summary>How the files of a checkpoint get their names together.</summary>
[TestFixture]
public class PendingDirectoryTests
{
    private TemporaryDirectory _root = null!;
    private string _directory = null!;

    [SetUp]
    public void CreateDirectory()
    {
        _root = new TemporaryDirectory();
        _directory = _root["checkpoint"];
    }

    [TearDown]
    public void DeleteDirectory() => _root.Dispose();

    [Test]
    public void Nothing_is_in_its_place_until_all_is_and_then_all([Values] bool exchange)
    {
        Old();
        Write(exchange, directory =>
        {
            directory.Add("config.json", stream => stream.Write("new"u8));
            directory.Add("model.safetensors", stream => stream.Write("new"u8));
            Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:old model-00001-of-00001.safetensors:old notes:old"));
        });
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:new model.safetensors:new notes:old"));
    }

    [Test]
    public void What_is_given_up_leaves_what_was_there()
    {
        Old();
        using (var directory = new PendingDirectory(_directory)) directory.Add("1_Pooling/config.json", stream => stream.Write("new"u8));
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:old model-00001-of-00001.safetensors:old notes:old"));
        using (var directory = new PendingDirectory(_root["a/b"])) directory.Add("x", stream => stream.Write("new"u8));
        Assert.That(Directory.GetFileSystemEntries(_root.Path), Is.EqualTo(new[] { _directory }));
    }

    [Test]
    public void A_file_where_a_folder_is_needed_is_refused_while_the_old_checkpoint_is_there([Values] bool exchange)
    {
        Old();
        File.WriteAllText(Path.Combine(_directory, "2_Dense"), "mine");
        string was = Contents();
        Assert.That(
            () => Write(exchange, directory =>
            {
                directory.Add("config.json", stream => stream.Write("new"u8));
                directory.Add("2_Dense/config.json", stream => stream.Write("new"u8));
            }),
            Throws.InstanceOf<IOException>().With.Message.Contains("2_Dense is a file; a directory is needed there"));
        Assert.That(Contents(), Is.EqualTo(was));
    }

    [Test]
    public void What_others_write_meanwhile_stays()
    {
        Old();
        int written = 0, stop = 0;
        var other = new Thread(() =>
        {
            for (; Volatile.Read(ref stop) == 0; Thread.Sleep(1))
            {
                try
                {
                    File.WriteAllText(Path.Combine(_directory, $"log{written}"), "other");
                    written++;
                }
                catch (IOException)
                {
                    // The directory was exchanged while the name was looked up.
                }
            }
        });
        other.Start();
        for (int i = 0; i < 10; i++)
            Write(exchange: true, directory =>
            {
                directory.Add("config.json", stream => stream.Write("new"u8));
                directory.Add("model.safetensors", stream => stream.Write("new"u8));
            });
        Volatile.Write(ref stop, 1);
        other.Join();
        Assert.That(Enumerable.Range(0, written).Where(i => !File.Exists(Path.Combine(_directory, $"log{i}"))), Is.Empty);
    }

    [Test]
    public void A_mount_is_found_inside_the_root_and_in_no_new_directory()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/proc says what is mounted.");
        Assert.That((SystemCalls.HasMountInside("/"), SystemCalls.HasMountInside(_root.Path)), Is.EqualTo((true, false)));
    }

    [Test]
    public void Folders_links_and_permissions_come_along([Values] bool exchange)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("Unix permissions.");
            return;
        }
        Old();
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        File.SetUnixFileMode(_directory, Private);
        File.CreateSymbolicLink(Path.Combine(_directory, "link"), "notes");
        File.CreateSymbolicLink(Path.Combine(_directory, "model.safetensors"), "notes");
        Write(exchange, directory =>
        {
            directory.Add("1_Pooling/config.json", stream => stream.Write("new"u8));
            directory.Add("model.safetensors", stream => stream.Write("new"u8));
        });
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:new config.json:old link:old model.safetensors:new notes:old"));
        Assert.That(new FileInfo(Path.Combine(_directory, "link")).LinkTarget, Is.EqualTo("notes"));
        Assert.That(File.GetUnixFileMode(_directory), Is.EqualTo(Private));
    }

    [Test]
    public void A_link_to_the_directory_stays_one()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows makes links only with a right to.");
        Old();
        Directory.CreateSymbolicLink(_root["link"], "checkpoint");
        using (var directory = new PendingDirectory(_root["link"]))
        {
            directory.Add("config.json", stream => stream.Write("new"u8));
            directory.Add("model.safetensors", stream => stream.Write("new"u8));
            directory.Publish(replaces: true, ConversionTarget.IsWeightFile);
        }
        Assert.That(new DirectoryInfo(_root["link"]).LinkTarget, Is.EqualTo("checkpoint"));
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:new model.safetensors:new notes:old"));
    }

    [Test]
    public void What_a_killed_process_left_is_removed_and_what_runs_is_not([Values] bool beside)
    {
        string left = beside ? _root[".checkpoint.abcdefgh.unfinished"] : Path.Combine(_directory, ".checkpoint.abcdefgh.unfinished");
        Directory.CreateDirectory(left);
        File.WriteAllText(Path.Combine(left, "model.safetensors"), "left");
        if (!beside) File.WriteAllText(Path.Combine(left, Unfinished.LockName), "");
        using var runs = new PendingDirectory(_directory);
        Assert.That(Directory.Exists(left), Is.False);
        string path = runs.Add("config.json", stream => stream.Write("1"u8));
        using (var second = new PendingDirectory(_directory))
        {
            second.Add("config.json", stream => stream.Write("2"u8));
            second.Publish(replaces: true, ConversionTarget.IsWeightFile);
        }
        Assert.That(File.ReadAllText(path), Is.EqualTo("1"));
        runs.Publish(replaces: true, ConversionTarget.IsWeightFile);
        Assert.That(Contents(), Does.StartWith("config.json:1"));
    }

    [Test]
    public void What_two_write_at_once_is_one_of_both_whole()
    {
        Old();
        using var one = new PendingDirectory(_directory);
        using var two = new PendingDirectory(_directory);
        foreach (string name in new[] { "config.json", "model.safetensors" })
        {
            one.Add(name, stream => stream.Write("1"u8));
            two.Add(name, stream => stream.Write("2"u8));
        }
        two.Publish(replaces: true, ConversionTarget.IsWeightFile);
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:2 model.safetensors:2 notes:old"));
        one.Publish(replaces: true, ConversionTarget.IsWeightFile);
        Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:1 model.safetensors:1 notes:old"));
    }

    [Test]
    public void Four_that_write_at_once_all_succeed_and_one_of_them_is_there_whole()
    {
        for (int round = 0; round < 10; round++)
        {
            Old();
            Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, writer =>
            {
                using var directory = new PendingDirectory(_directory);
                foreach (string name in new[] { "config.json", "model.safetensors", "tokenizer.json" })
                    directory.Add(name, stream => stream.Write(Encoding.UTF8.GetBytes($"{writer}")));
                directory.Publish(replaces: true, ConversionTarget.IsWeightFile);
            });
            Assert.That(Contents(), Does.Match(@"^1_Pooling/config.json:old config.json:(\d) model.safetensors:\1 notes:old tokenizer.json:\1\z"));
            Assert.That(Directory.GetFileSystemEntries(_root.Path), Is.EqualTo(new[] { _directory }));
            Assert.That(Directory.EnumerateFileSystemEntries(_directory, "*" + Unfinished.Suffix), Is.Empty);
        }
    }

    [Test]
    public void Who_publishes_second_is_asked_whether_it_still_may()
    {
        using var directory = new PendingDirectory(_directory);
        directory.Add("config.json", stream => stream.Write("new"u8));
        Assert.That(() => directory.Publish(replaces: true, ConversionTarget.IsWeightFile, () => throw new IOException("meanwhile")),
            Throws.TypeOf<IOException>().With.Message.EqualTo("meanwhile"));
        Assert.That(Contents(), Is.Empty);
    }

    [Test]
    public void What_was_left_and_cannot_be_removed_is_named_and_no_error([Values] bool beside)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("Files are made immutable by chattr of Linux.");
        Old();
        string left = Directory.CreateDirectory(beside ? _root[".checkpoint.abcdefgh.unfinished"] : Path.Combine(_directory, ".checkpoint.abcdefgh.unfinished"))
            .FullName;
        string file = Path.Combine(left, "model.safetensors");
        File.WriteAllText(file, "left");
        if (!Change("+i")) Assert.Ignore("chattr +i needs a right that this process or a file system does not have.");
        try
        {
            using var directory = new PendingDirectory(_directory);
            directory.Add("config.json", stream => stream.Write("new"u8));
            directory.Add("model.safetensors", stream => stream.Write("new"u8));
            directory.Publish(replaces: true, ConversionTarget.IsWeightFile);
            Assert.That(directory.Left, Is.EqualTo(new[] { left }));
            Assert.That(Contents(), Is.EqualTo("1_Pooling/config.json:old config.json:new model.safetensors:new notes:old"));
        }
        finally
        {
            Change("-i");
        }

        bool Change(string how)
        {
            try
            {
                using Process chattr = Process.Start(new ProcessStartInfo("chattr", [how, file]) { RedirectStandardError = true, UseShellExecute = false })!;
                chattr.WaitForExit();
                return chattr.ExitCode == 0;
            }
            catch (Win32Exception)
            {
                return false;
            }
        }
    }

    [TestCase("config.json")]
    [TestCase("1_Pooling")]
    public void A_directory_in_the_place_of_a_file_is_refused_before_anything_changes(string name)
    {
        Directory.CreateDirectory(Path.Combine(_directory, name));
        using var directory = new PendingDirectory(_directory);
        Assert.That(() => directory.Add(name, stream => stream.Write("new"u8)), Throws.InstanceOf<IOException>().With.Message.Contains("is a directory"));
    }

    private void Old()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "1_Pooling"));
        foreach (string name in new[] { "config.json", "model-00001-of-00001.safetensors", "notes", "1_Pooling/config.json" })
            File.WriteAllText(Path.Combine(_directory, name), "old");
    }

    /// <summary>In the current directory nothing is exchanged.</summary>
    private void Write(bool exchange, Action<PendingDirectory> add)
    {
        string current = Directory.GetCurrentDirectory();
        try
        {
            if (!exchange) Directory.SetCurrentDirectory(_directory);
            using var directory = new PendingDirectory(_directory);
            add(directory);
            directory.Publish(replaces: true, ConversionTarget.IsWeightFile);
        }
        finally
        {
            Directory.SetCurrentDirectory(current);
        }
        Assert.That(Directory.GetFileSystemEntries(_root.Path), Is.EqualTo(new[] { _directory }));
    }

    private string Contents() => string.Join(' ', Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories)
        .Where(path => !path.Contains(Unfinished.Suffix, StringComparison.Ordinal))
        .Select(path => $"{Path.GetRelativePath(_directory, path)}:{File.ReadAllText(path)}").Order(StringComparer.Ordinal));
}
